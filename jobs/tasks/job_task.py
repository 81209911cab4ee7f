"""A task with retry settings of its own, and the decorator that makes one on every Django."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, overload

from jobs import conf
from jobs.errors import InvalidInput
from jobs.tasks import api

# What follows a failure: seconds to wait, False for no further attempt, None for the usual backoff.
RetryPolicy = Callable[[BaseException, int], float | bool | None]

KNOBS = ("max_retries", "backoff_base", "backoff_max", "timeout")  # of the job, where a task sets them
# Of Django 6.0, whose Task has no defaults: its decorator has them.
DEFAULTS: dict[str, Any] = {
    "priority": 0,
    "queue_name": api.DEFAULT_TASK_QUEUE_NAME,
    "run_after": None,
    "takes_context": False,
}
# Of the function, and not of one job: a worker knows a task by its path, and takes these from there.
FIXED = {"func", "takes_context", "retry"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTask(api.AnyTask):
    """Django's Task, and how it is retried. What is None is looked up in the settings of its queue when it runs.

    `timeout` and `backoff_max` are seconds; a timeout of 0 is no limit. `retry` is called with the exception and the
    number of the attempt that failed.
    """

    max_retries: int | None = None
    backoff_base: float | None = None
    backoff_max: float | None = None
    timeout: float | None = None
    retry: RetryPolicy | None = None

    def using(self, **changes: Any) -> "JobTask":
        """Return a task with modified defaults: Django's four, and the numbers of this class. None leaves one as is."""
        known = {field.name for field in fields(self)} - FIXED
        if unknown := changes.keys() - known:
            raise TypeError(f"using() got an unexpected keyword argument {min(unknown)!r}")
        return replace(self, **{name: value for name, value in changes.items() if value is not None})

    def enqueue_many(self, arguments: Iterable[Sequence[Any] | Mapping[str, Any]]) -> list[Any]:
        """Enqueue one job for each element, in order, all or none, and return their results.

        An element is a list of positional arguments or a mapping of keyword arguments.
        """
        backend: Any = self.get_backend()
        return backend.enqueue_many([(self, *_split(given)) for given in arguments])  # type: ignore[no-any-return]


def _split(given: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    if isinstance(given, Mapping):
        return (), given
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return given, {}
    raise TypeError("the arguments of a job must be a list of positional ones or a mapping of named ones")


def job_fields(task: api.AnyTask, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a task says of its jobs, as the fields of a new one; what it leaves open is taken from `options`."""
    settings = {name: getattr(task, name, None) for name in KNOBS}
    return {
        "task": task.module_path,
        "queue": task.queue_name,
        "priority": int(task.priority),
        "run_at": task.run_after,
        **{name: options.get(name) if value is None else value for name, value in settings.items()},
    }


@overload
def task(function: Callable[..., Any]) -> JobTask: ...
@overload
def task(*, backend: str = ..., **settings: Any) -> Callable[[Callable[..., Any]], JobTask]: ...
def task(
    function: Callable[..., Any] | None = None, *, backend: str = api.DEFAULT_TASK_BACKEND_ALIAS, **settings: Any
) -> Any:
    """Make a task of a function: Django's `@task`, with the fields of JobTask on every Django.

    Django's own decorator takes them from 6.1 on.
    """

    if "run_after" in settings:
        raise TypeError("run_after is no property of a function; see using()")
    fields = DEFAULTS | settings

    def decorate(function: Callable[..., Any]) -> Any:
        task_class: Any = api.task_backends[backend].task_class
        if not issubclass(task_class, JobTask):  # tests may run tasks at once, through a backend of Django's own
            task_class = JobTask
        return task_class(func=function, backend=backend, **fields)

    return decorate if function is None else decorate(function)


def validate(task: api.AnyTask) -> None:
    """Refuse retry settings that the queue would trip over. Raise InvalidTask."""
    for name in KNOBS:
        value = getattr(task, name, None)
        try:
            if value is not None:
                conf.KNOBS[name].clean(value)
        except InvalidInput as error:
            raise api.InvalidTask(str(error)) from None
    policy = getattr(task, "retry", None)
    if policy is not None and not callable(policy):
        raise api.InvalidTask("retry: must be a function of an exception and an attempt number.")
