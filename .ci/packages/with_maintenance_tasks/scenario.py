"""django-maintenance-tasks: a backfill that hands itself on from task to task, is paused, and goes on where it was."""

import project
from django.contrib.auth.models import User
from maintenance_tasks import runner
from maintenance_tasks.models import Run

from jobs.models import Job
from with_maintenance_tasks.maintenance_tasks import FillLastNames

USERS = 300

User.objects.bulk_create(User(username=f"user{number}") for number in range(USERS))
run = runner.start(FillLastNames.name, {"delay": 0.005})
with project.running("queuectl", "worker", "start"):
    project.wait_until(lambda: Run.objects.get().tick_count)
    runner.pause(run)
    project.wait_until(lambda: Run.objects.get().status == Run.Status.PAUSED)
run.refresh_from_db()
project.equal(User.objects.exclude(last_name="").count(), run.tick_count)
project.equal(0 < run.tick_count < USERS, True)

runner.resume(run)
project.drain()

run.refresh_from_db()
project.equal((run.status, run.tick_count), (Run.Status.SUCCEEDED, USERS))
project.equal(User.objects.filter(last_name="").count(), 0)
project.equal(Job.objects.count() > 2, True)
project.equal(set(Job.objects.values_list("state", flat=True)), {"completed"})
project.page(f"/admin/maintenance_tasks/run/{run.pk}/change/")
