"""django-scheduled-tasks: it keeps the id of the result of each run, if the backend can give results."""

import project
from django_scheduled_tasks.models import ScheduledTaskRunLog

from jobs.models import Job
from with_scheduled_tasks.tasks import add

with project.running("run_task_scheduler", "--interval", "0.2", "--no-reload"):
    project.wait_until(lambda: Job.objects.count() >= 2)
project.drain()

project.equal({add.get_result(id_).return_value for id_ in Job.objects.values_list("id", flat=True)}, {42})
project.equal(add.get_result(ScheduledTaskRunLog.objects.get().last_run_task_id).is_finished, True)
