"""django-crontask: its scheduler enqueues by the clock, and the worker runs each tick once."""

import project
from django.tasks import TaskResultStatus, default_task_backend

from jobs.models import Job

with project.running("crontask", "--no-heartbeat"):
    project.wait_until(lambda: Job.objects.count() >= 2)
project.drain()

for id_ in Job.objects.values_list("id", flat=True):
    result = default_task_backend.get_result(id_)
    project.equal((result.status, result.return_value, result.attempts), (TaskResultStatus.SUCCESSFUL, "tock", 1))
