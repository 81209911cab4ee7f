"""The backend of `django.tasks`: a project names it in `TASKS`, and every `@task` of it and its packages runs here.

Imported whenever a project's `tasks.py` is, possibly before the app registry is ready; and every thread makes an
instance of its own. So models are imported inside the methods, and nothing is kept on the instance.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from jobs import conf, new_job
from jobs.errors import InvalidInput, NotFound
from jobs.new_job import NewJob
from jobs.states import Kind, State
from jobs.tasks import JobResult, JobTask, api, job_task, loading, results

if TYPE_CHECKING:
    from jobs import queue

# States in which a job that was claimed once has no retry behind or before it: its `run_at` is still its first.
FIRST_ATTEMPT = frozenset({State.PROCESSING, State.COMPLETED, State.DEAD})


class JobsBackend(api.BaseTaskBackend):
    """Keeps tasks in the queue. `OPTIONS` are the retry settings of tasks that have none of their own: `max_retries`,
    `backoff_base`, `backoff_max`, `timeout`.
    """

    task_class = JobTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def validate_task(self, task: api.AnyTask) -> None:
        """Refuse a task that could not run here. Raise InvalidTask."""
        super().validate_task(task)
        try:
            new_job.queue_name(task.queue_name)
        except InvalidInput as error:
            raise api.InvalidTask(str(error)) from None
        job_task.validate(task)

    def enqueue(self, task: api.AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Store a job. It follows the transaction around the call, if the queue is in the same database.

        Raise InvalidTask, or TypeError or ValueError for arguments that are not JSON.
        """
        from jobs import clock, queue  # noqa: PLC0415 - they import models

        now = clock.now()
        new = self._with_arguments(self._job_of(task, now), args, kwargs)
        return self._told(task, new, queue.enqueue_for_receipt(new, now=now))

    def enqueue_many(self, calls: Iterable[tuple[api.AnyTask, Sequence[Any], Mapping[str, Any]]]) -> list[JobResult]:
        """Store a job for each task with its arguments, all or none: a hundred at a time take a tenth of the time."""
        from jobs import clock, queue  # noqa: PLC0415 - they import models

        calls = list(calls)
        now = clock.now()
        tasks = {id(task): task for task, _, _ in calls}
        jobs = {key: self._job_of(task, now) for key, task in tasks.items()}
        news = [self._with_arguments(jobs[id(task)], args, kwargs) for task, args, kwargs in calls]
        receipts = queue.enqueue_for_receipts(news, now=now)
        return [
            self._told(task, new, receipt) for (task, _, _), new, receipt in zip(calls, news, receipts, strict=True)
        ]

    def _job_of(self, task: api.AnyTask, now: datetime) -> NewJob:
        """Return a job of a task, without arguments."""
        self.validate_task(task)
        try:
            new = new_job.from_fields(job_task.job_fields(task, self.options), now=now)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        return new._replace(backend=self.alias)

    def _with_arguments(self, new: NewJob, args: Sequence[Any], kwargs: Mapping[str, Any]) -> NewJob:
        try:
            return new._replace(**new_job.arguments(api.normalize_json(args), api.normalize_json(kwargs)))
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        except RecursionError:
            raise ValueError("arguments contain themselves, or are nested too deeply") from None

    def _told(self, task: api.AnyTask, new: NewJob, receipt: "queue.Receipt") -> JobResult:
        """Return the result of a job that was stored, after telling of it whoever listens to the signal."""
        result = results.of_new(new, task, id=receipt.id, enqueued_at=receipt.enqueued_at)
        api.task_enqueued.send_robust(sender=type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> JobResult:
        """Return the result of a job of a task. Raise TaskResultDoesNotExist.

        That is also said of one whose task cannot be imported any more.
        """
        from jobs import stats  # noqa: PLC0415 - it imports models

        try:
            job = stats.find_job(new_job.name("id", result_id))
            task = _as_enqueued(_loaded(job), job)
        except (InvalidInput, NotFound) as error:
            raise api.TaskResultDoesNotExist(f"{new_job.shown(result_id)}: {error}") from error
        return results.of_row(job, task, attempts=stats.attempt_summaries(job))

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Say what is wrong with the entry in `TASKS`."""
        return [*super().check(**kwargs), *self._check_app(), *self._check_options(), *self._check_queues()]

    def _check_app(self) -> Iterator[checks.CheckMessage]:
        if not apps.is_installed("jobs"):
            message = f"TASKS[{self.alias!r}] keeps its tasks in the queue, which is not installed."
            yield checks.Error(message, hint='Add "jobs" to INSTALLED_APPS, and migrate.', id="jobs.E006")

    def _check_options(self) -> Iterator[checks.CheckMessage]:
        options: object = self.options
        if not isinstance(options, Mapping):
            message = f"TASKS[{self.alias!r}]['OPTIONS'] is no dictionary."
            yield checks.Error(message, hint=f"Its keys are {', '.join(job_task.KNOBS)}.", id="jobs.E007")
            return
        for name, value in options.items():
            try:
                if name not in job_task.KNOBS:
                    raise InvalidInput(name, f"is not an option; choose from {', '.join(job_task.KNOBS)}")
                conf.KNOBS[name].clean(value)
            except InvalidInput as error:
                message = f"TASKS[{self.alias!r}]['OPTIONS'] {error}."
                hint = "It is the setting of tasks that have none of their own; leave it away to use that of the queue."
                yield checks.Error(message, hint=hint, id="jobs.E007")

    def _check_queues(self) -> Iterator[checks.CheckMessage]:
        hint = "QUEUES is a list of names; an empty one allows any."
        if isinstance(api.task_backends.settings[self.alias].get("QUEUES"), str):  # which is a list of letters
            yield checks.Error(f"TASKS[{self.alias!r}]['QUEUES'] is a text.", hint=hint, id="jobs.E008")
            return
        for name in sorted(self.queues, key=str):
            try:
                new_job.queue_name(name)
            except InvalidInput as error:
                message = f"TASKS[{self.alias!r}]['QUEUES'] has {name!r}: {error}."
                yield checks.Error(message, hint=hint, id="jobs.E008")


def _loaded(job: Any) -> api.AnyTask:
    if job.kind != Kind.TASK:
        raise NotFound("it is not a task")
    try:
        return loading.load(job.task)
    except Exception as error:  # whatever the import of its module raises
        raise NotFound(f"its task cannot be imported: {type(error).__name__}: {error}") from error


def _as_enqueued(task: api.AnyTask, job: Any) -> api.AnyTask:
    """Return the task as it was when it was enqueued; as it is now, if the backend would not take that any more."""
    try:
        return task.using(
            priority=job.priority,
            queue_name=job.queue,
            backend=job.backend,
            run_after=_run_after(job),
        )
    except (api.InvalidTask, ImproperlyConfigured):
        return task


def _run_after(job: Any) -> datetime | None:
    """Return the time that was asked for, if it was; None also where that of a retry has taken its place."""
    is_first = job.fence == 0 or (job.fence == 1 and job.state in FIRST_ATTEMPT)
    return job.run_at if is_first and job.run_at > job.enqueued_at else None
