"""django-overseer: dashboard, retries, unique tasks and schedules, made of the signals and results of any backend."""

import os
from pathlib import Path

import project
from django.core.management import call_command
from overseer.models import Job, JobStatus, Run

from with_overseer.tasks import charge, refuse, send_receipt

flag = Path(os.environ["HOME_DIR"]) / "paid"

charge.enqueue(1, flag=str(flag))
refuse.enqueue()
project.equal(send_receipt.enqueue("ann@example.com").id, send_receipt.enqueue("ann@example.com").id)
call_command("overseer_sync_schedules", verbosity=0)
with project.running("overseer_scheduler", "--interval", "0.2"):
    project.wait_until(Job.objects.filter(task_name="heartbeat").exists)
project.drain()

project.equal(
    {job.task_name: (job.status, job.attempts) for job in Job.objects.exclude(task_name="heartbeat")},
    {
        "charge": (JobStatus.SUCCEEDED, 2),
        "refuse": (JobStatus.FAILED, 2),
        "send_receipt": (JobStatus.SUCCEEDED, 1),
    },
)
project.equal(set(Job.objects.filter(task_name="heartbeat").values_list("status", flat=True)), {JobStatus.SUCCEEDED})
project.equal(Run.objects.get(job__task_name="charge", status="SUCCESSFUL").return_value, "charged 1")
for name in ("", "queues/", "tasks/", "jobs/", "failed/", "schedules/", "workers/", "metrics/", "alerts/"):
    project.page(f"/pages/{name}")
project.equal("refuse" in project.page("/pages/failed/"), True)
