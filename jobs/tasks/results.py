"""From a job to Django's TaskResult. Called by the backend with rows, and by the runner with a claim."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from jobs.new_job import NewJob
from jobs.outcome import AttemptSummary, Claim
from jobs.states import Ending, State
from jobs.tasks import api, signs

STATUSES = {
    State.SCHEDULED: api.TaskResultStatus.READY,
    State.PENDING: api.TaskResultStatus.READY,
    State.FAILED: api.TaskResultStatus.READY,  # failed here is retryable; Django's FAILED is final
    State.PROCESSING: api.TaskResultStatus.RUNNING,
    State.COMPLETED: api.TaskResultStatus.SUCCESSFUL,
    State.DEAD: api.TaskResultStatus.FAILED,
    State.CANCELLED: api.TaskResultStatus.FAILED,
}
# What stands for an exception that nobody saw. An attempt that completed or was released has no error.
UNSEEN_ERRORS: dict[str, type[BaseException]] = {
    Ending.FAILED: Exception,
    Ending.TIMED_OUT: signs.TimedOut,
    Ending.CANCELLED: signs.Cancelled,
    Ending.LOST: signs.Lost,
}
MORE_TO_REFRESH = ("progress", "progress_message")


class Row(Protocol):
    """What a job's row has that a result needs."""

    id: str
    state: str
    backend: str | None
    args: Any
    kwargs: Any
    enqueued_at: datetime
    finished_at: datetime | None
    return_value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult(api.AnyResult):  # type: ignore[misc]
    """Django's TaskResult, and how far a running task says it is: a share from 0 to 1, and words."""

    progress: float | None = None
    progress_message: str | None = None

    def __post_init__(self) -> None:
        """Take the arguments as they are, in place of a copy: they are JSON already."""

    def refresh(self) -> None:
        """Reload what may have changed."""
        _copy(self.task.get_backend().get_result(self.id), self)

    async def arefresh(self) -> None:
        """See refresh()."""
        _copy(await self.task.get_backend().aget_result(self.id), self)


# Not through super(): without arguments it breaks in a dataclass with slots on Python 3.12 and 3.13.
def _copy(fresh: api.AnyResult, result: JobResult) -> None:
    for name in (*_REFRESHED, *MORE_TO_REFRESH):
        object.__setattr__(result, name, getattr(fresh, name))


_REFRESHED = (
    "errors", "_return_value", "finished_at", "started_at", "last_attempted_at", "status", "enqueued_at", "worker_ids",
)  # fmt: skip


def of_row(
    job: Row,
    task: api.AnyTask,
    *,
    attempts: Sequence[AttemptSummary] = (),
) -> JobResult:
    """Return the result of a job as the database has it. `attempts` are all of it, also one that runs now."""
    last = attempts[-1] if attempts else None
    result = JobResult(
        task=task,
        id=job.id,
        status=STATUSES[State(job.state)],
        enqueued_at=job.enqueued_at,
        finished_at=job.finished_at,
        args=job.args or [],
        kwargs=job.kwargs or {},
        backend=job.backend or task.backend,
        progress=None if last is None else last.progress,
        progress_message=None if last is None else last.progress_message,
        **_told(attempts),
    )
    object.__setattr__(result, "_return_value", job.return_value)
    return result


def of_new(new: NewJob, task: api.AnyTask, *, id: str, enqueued_at: datetime) -> JobResult:  # noqa: A002
    """Return the result of a job of a task that has just been enqueued."""
    return JobResult(
        task=task,
        id=id,
        status=api.TaskResultStatus.READY,
        enqueued_at=enqueued_at,
        started_at=None,
        finished_at=None,
        last_attempted_at=None,
        args=new.args or [],
        kwargs=new.kwargs or {},
        backend=new.backend or task.backend,
        errors=[],
        worker_ids=[],
    )


def of_claim(claim: Claim, task: api.AnyTask, *, attempt: AttemptSummary) -> JobResult:
    """Return the result of a job whose `attempt` begins."""
    return JobResult(
        task=task,
        id=claim.id,
        status=api.TaskResultStatus.RUNNING,
        enqueued_at=claim.enqueued_at,
        finished_at=None,
        args=claim.args,
        kwargs=claim.kwargs,
        backend=claim.backend or task.backend,
        **_told((*claim.history, attempt)),
    )


def end(result: JobResult, *, status: api.TaskResultStatus, finished_at: datetime | None) -> None:
    """Say in the result of a running attempt how it ended. `finished_at` of None: it will be tried again."""
    object.__setattr__(result, "status", status)
    object.__setattr__(result, "finished_at", finished_at)


def set_return_value(result: JobResult, value: Any) -> None:
    object.__setattr__(result, "_return_value", value)


def _told(attempts: Sequence[AttemptSummary]) -> dict[str, Any]:
    return {
        "started_at": attempts[0].started_at if attempts else None,
        "last_attempted_at": attempts[-1].started_at if attempts else None,
        "errors": _errors(attempts),
        "worker_ids": [attempt.worker_id for attempt in attempts],
    }


def _errors(attempts: Iterable[AttemptSummary]) -> list[api.TaskError]:
    return [error(attempt) for attempt in attempts if attempt.outcome in UNSEEN_ERRORS]


def error(attempt: AttemptSummary) -> api.TaskError:
    """Return what went wrong in an attempt that did not complete."""
    path = attempt.exception_class or path_of(UNSEEN_ERRORS[attempt.outcome or Ending.FAILED])
    return api.TaskError(exception_class_path=path, traceback=attempt.error or "")


def path_of(exception_class: type[BaseException]) -> str:
    return f"{exception_class.__module__}.{exception_class.__qualname__}"
