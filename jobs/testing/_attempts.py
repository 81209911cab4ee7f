"""What a drain returns: each attempt it ran. And what it raises where a job failed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from jobs.outcome import Advice, Claim, Outcome
from jobs.states import Ending, Kind, State

RUNNER = "jobs.runners.task"


class JobFailed(AssertionError):
    """A job that was drained has failed, and there is no exception of its own to raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainedAttempt:
    """One attempt that a drain ran, and what became of its job.

    `what` is the path of the task or the command line. `state` is that of the job when the attempt was recorded; None:
    it was taken from under the attempt, as by a task that deletes its own job. `error` is one line.
    """

    id: str = field(repr=False)
    what: str
    args: list[Any]
    kwargs: dict[str, Any]
    queue: str
    attempt: int
    ending: Ending
    state: State | None
    return_value: Any
    error: str | None
    exit_code: int | None = field(repr=False)
    output: str = field(repr=False)
    traceback: str | None = field(repr=False)
    exception: BaseException | None = field(repr=False)
    is_failure: bool = field(repr=False)

    @classmethod
    def of(cls, claim: Claim, outcome: Outcome, *, state: State | None, exception: BaseException | None) -> Self:
        return cls(
            id=claim.id,
            what=(claim.command if claim.kind == Kind.SHELL else claim.task) or "",
            args=claim.args,
            kwargs=claim.kwargs,
            queue=claim.queue,
            attempt=claim.attempt,
            ending=outcome.ending,
            state=state,
            return_value=None if outcome.return_value is None else json.loads(outcome.return_value),
            error=outcome.error,
            exit_code=outcome.exit_code,
            output=outcome.output.head + outcome.output.tail,
            traceback=outcome.traceback,
            exception=exception,
            is_failure=_is_failure(outcome, state),
        )

    def __str__(self) -> str:
        end = self.ending.value if self.error is None else f"{self.ending.value}: {self.error}"
        return f"{call(self.what, self.args, self.kwargs)} {end}"


def call(what: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return what a job runs as a person would write it: the call of a task, or a command line."""
    if not args and not kwargs:
        return what
    given = [repr(value) for value in args] + [f"{name}={value!r}" for name, value in kwargs.items()]
    return f"{what}({', '.join(given)})"


def _is_failure(outcome: Outcome, state: State | None) -> bool:
    """Return whether the attempt went wrong. One that asked to be run again later did not, while that is granted."""
    is_postponed = outcome.advice is Advice.LATER and state is not State.DEAD
    return outcome.ending in (Ending.FAILED, Ending.TIMED_OUT) and not is_postponed


def raise_failure(attempt: DrainedAttempt) -> None:
    """Raise what made an attempt fail, as if the test had called the task itself."""
    if not attempt.is_failure:
        return
    if attempt.exception is not None and attempt.ending is Ending.FAILED:
        raise attempt.exception.with_traceback(_traceback_from_task_on(attempt.exception))
    shown = attempt.traceback or attempt.output
    raise JobFailed(f"{attempt}\n{shown}".rstrip()) from attempt.exception


def _traceback_from_task_on(exception: BaseException) -> TracebackType | None:
    """Return the traceback without the runner, which is of no interest to the author of a task."""
    frames = exception.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__") == RUNNER:
        frames = frames.tb_next
    return frames
