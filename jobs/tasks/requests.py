"""A job of a task, asked for from outside Python: by the path of the task and loose values."""

import inspect
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jobs import new_job
from jobs.errors import InvalidInput
from jobs.new_job import NewJob
from jobs.tasks import api, job_task, known, loading


def new_job_of(fields: Mapping[str, Any], *, now: datetime) -> NewJob:
    """Return the job that `fields`, the keys of the JSON form, ask for. What they leave open is as the task has it.

    Raise InvalidInput, also for a task that is not there, and for arguments that it does not take.
    """
    task = _task(new_job.task_path(fields["task"]))
    own = job_task.job_fields(task, task.get_backend().options)
    if "delay" in fields:
        del own["run_at"]
    given = {name: value for name, value in fields.items() if value is not None}
    new = new_job.from_fields(own | given, now=now)
    _refuse_misfit(task, new.args or [], new.kwargs or {})
    _refuse_queue(task, new.queue)
    return new._replace(backend=task.backend)


def _task(path: str) -> api.AnyTask:
    try:
        return loading.load(path)
    except Exception as error:
        what = new_job.shown(f"{type(error).__name__}: {error}", limit=200)
        raise InvalidInput("task", f"{path} cannot be run: {what}") from error


def _refuse_misfit(task: api.AnyTask, args: list[Any], kwargs: Mapping[str, Any]) -> None:
    try:
        inspect.signature(task.func).bind(*([None] if task.takes_context else []), *args, **kwargs)
    except TypeError as error:
        raise InvalidInput("args", f"do not fit {known.signature(task)}: {error}") from None


def _refuse_queue(task: api.AnyTask, queue: str) -> None:
    allowed = task.get_backend().queues
    if allowed and queue not in allowed:
        raise InvalidInput("queue", f"must be one of {', '.join(sorted(allowed))}, the QUEUES of its backend in TASKS")
