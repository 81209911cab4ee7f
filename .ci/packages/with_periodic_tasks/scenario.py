"""django-periodic-tasks: a schedule that is due is enqueued in a transaction, with the permit to run exactly once."""

from datetime import timedelta

import project
from django.utils import timezone
from django_periodic_tasks.models import ScheduledTask, TaskExecution

from jobs.models import Job
from with_periodic_tasks.tasks import say

with project.running("run_scheduler", "--interval", "1"):
    project.wait_until(ScheduledTask.objects.exists)
    ScheduledTask.objects.update(next_run_at=timezone.now() - timedelta(minutes=1))
    project.wait_until(Job.objects.exists)
project.drain()

project.equal({say.get_result(id_).return_value for id_ in Job.objects.values_list("id", flat=True)}, {"by the clock"})
project.equal(set(TaskExecution.objects.values_list("status", flat=True)), {TaskExecution.Status.COMPLETED})
