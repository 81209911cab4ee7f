"""django-taskly: a snapshot of each result, taken when its task finished."""

import project
from django_taskly.models import TaskSnapshot

from with_taskly.tasks import add, explode

results = {add.enqueue(2, 3).id: "SUCCESSFUL", explode.enqueue("boom").id: "FAILED"}
project.drain()

project.equal(dict(TaskSnapshot.objects.values_list("task_id", "status")), results)
failed = TaskSnapshot.objects.get(status="FAILED")
project.equal(("boom" in failed.last_error_traceback, failed.attempts), (True, 1))
project.equal("explode" in project.page("/admin/django_taskly/tasksnapshot/"), True)
