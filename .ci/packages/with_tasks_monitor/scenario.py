"""django-tasks-monitor: a record of each task from its enqueueing on, and a retry of what failed."""

import project
from tasks_monitor.models import TaskRecord
from tasks_monitor.retry import retry

from with_tasks_monitor.tasks import add, explode

Status = TaskRecord.Status

added, exploded = add.enqueue(2, 3), explode.enqueue("boom")
project.equal(set(TaskRecord.objects.values_list("status", flat=True)), {Status.READY})
project.drain()

project.equal(TaskRecord.objects.get(result_id=added.id).status, Status.SUCCESSFUL)
failed = TaskRecord.objects.get(result_id=exploded.id)
project.equal((failed.status, failed.exception_class, failed.attempts), (Status.FAILED, "builtins.ValueError", 1))
project.equal(failed.duration is not None and len(failed.worker_ids) == 1, True)

again = retry(failed)
project.equal((again.retry_of, again.status), (failed, Status.READY))
project.drain()

again.refresh_from_db()
project.equal(again.status, Status.FAILED)
project.equal("explode" in project.page("/admin/tasks_monitor/taskrecord/dashboard/"), True)
