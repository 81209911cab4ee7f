"""A management command of the project as a task. Imported by the command line and by workers, when they need it."""

import shlex
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from jobs.tasks import api
from jobs.tasks.job_task import JobTask, task


def _place() -> dict[str, str]:
    """Return the first alias in TASKS that keeps its tasks here, and one of its queues."""
    for alias in api.task_backends.settings:
        backend = api.task_backends[alias]
        if issubclass(backend.task_class, JobTask):
            is_usual = not backend.queues or api.DEFAULT_TASK_QUEUE_NAME in backend.queues
            queue = api.DEFAULT_TASK_QUEUE_NAME if is_usual else min(backend.queues)
            return {"backend": str(alias), "queue_name": queue}
    raise ImproperlyConfigured("no backend in TASKS keeps its tasks in this queue; see docs/how-to/include.md")


@task(**_place())
def manage(line: str) -> None:
    """Run a management command, written as after `manage.py`. What it prints is the output of the job."""
    name, *arguments = shlex.split(line)
    try:
        call_command(name, *arguments, stderr=sys.stdout)  # which is recorded
    except SystemExit as exit_:  # a command may leave by sys.exit(0)
        if exit_.code:
            raise
