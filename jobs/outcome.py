"""Values that travel between a supervisor and its workers: the claim going out, the outcome coming back.

Both cross a pipe as JSON, so each knows its own wire form: its fields in their order, times as seconds since 1970.
They are tuples because thousands of them are made each second, and JSON takes a tuple as it is.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, Self

from jobs.states import Ending

_from_timestamp = partial(datetime.fromtimestamp, tz=UTC)


class Advice(StrEnum):
    """What a failed attempt says about the next one."""

    RETRY = "retry"  # run again after the backoff, if attempts are left
    AT_ONCE = "at_once"  # run again without the backoff, if attempts are left: its supervisor died, not the job
    LATER = "later"  # run again after the backoff without spending an attempt (exit 75)
    NEVER = "never"  # no further attempt: straight to the Dead Letter Queue (exit 100, bad signature)


def storable(text: str | None) -> str | None:
    """Return `text` as every database takes it: NUL shown as its symbol, lone surrogates as question marks."""
    return None if text is None else text.replace("\0", "␀").encode(errors="replace").decode()


class Output(NamedTuple):
    """What an attempt shows: the first and the last part of what it printed, how many bytes between them were dropped,
    and how far it is, as a share from 0 to 1 and in words, if it says so.
    """

    head: str = ""
    tail: str = ""
    dropped_bytes: int = 0
    progress: float | None = None
    progress_message: str | None = None


class AttemptSummary(NamedTuple):
    """One attempt of a task as its result tells of it. `outcome` of None: it runs. `error`: a traceback, or a line."""

    worker_id: str
    started_at: datetime
    outcome: str | None = None
    exception_class: str | None = None
    error: str | None = None
    progress: float | None = None
    progress_message: str | None = None


class Claim(NamedTuple):
    """One claimed job, with all a worker needs to run it and all a supervisor needs to record it.

    `supervisor_id` and `fence` tell it from every other claim, even of a later job that was given the id of a deleted
    one and starts counting anew. What only its runner looks into stays the JSON text that it is in the database.
    """

    id: str
    supervisor_id: int
    fence: int
    attempt: int
    kind: str  # a Kind, unless newer code than this one enqueued it
    queue: str
    enqueued_at: datetime
    run_at: datetime
    claimed_at: datetime
    command: str | None = None
    uses_shell: bool = True
    cwd: str | None = None
    env_json: str | None = None
    signature: str | None = None
    task: str | None = None
    args_json: str | None = None
    kwargs_json: str | None = None
    backend: str | None = None
    max_retries: int | None = None  # the job's own; None: look it up when the attempt ends
    backoff_base: float | None = None  # likewise
    backoff_max_seconds: float | None = None  # likewise
    timeout_seconds: float | None = None  # None: no limit
    postponements: int = 0  # how often exit 75 has already postponed it
    queue_max_retries: int = 0  # what its queue has at the time of the claim; what it has at the end decides
    history: tuple[AttemptSummary, ...] = ()  # of a task: the attempts before this one

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from the other claims of its supervisor."""
        return self.id, self.fence

    @property
    def env(self) -> dict[str, str] | None:
        return json.loads(self.env_json) if self.env_json else None

    @property
    def args(self) -> list[Any]:
        return json.loads(self.args_json) if self.args_json else []

    @property
    def kwargs(self) -> dict[str, Any]:
        return json.loads(self.kwargs_json) if self.kwargs_json else {}

    def to_wire(self) -> list[Any]:
        history = [[worker_id, at.timestamp(), *rest] for worker_id, at, *rest in self.history]
        return [*self[:6], *map(datetime.timestamp, self[6:9]), *self[9:-1], history]

    @classmethod
    def from_wire(cls, wire: Sequence[Any]) -> Self:
        history = tuple(AttemptSummary(worker_id, _from_timestamp(at), *rest) for worker_id, at, *rest in wire[-1])
        return cls._make((*wire[:6], *map(_from_timestamp, wire[6:9]), *wire[9:-1], history))


class Outcome(NamedTuple):
    """How one attempt ended.

    `started_at` and `finished_at` are wall-clock times for people; `run_seconds` is measured on the monotonic clock, by
    which it `ended`. That being None, the times are the queue's already.
    `pid` is the process that ran the job: the command itself for a shell job, the worker for a task.
    `error` is one line; `traceback` is the whole story where there is one. `delay_seconds` is the wait that the task
    itself asks for in place of the backoff. `return_value` is JSON as text.
    """

    ending: Ending
    started_at: datetime
    finished_at: datetime
    run_seconds: float
    advice: Advice = Advice.RETRY
    delay_seconds: float | None = None
    pid: int | None = None
    exit_code: int | None = None
    error: str | None = None
    exception_class: str | None = None
    traceback: str | None = None
    return_value: str | None = None
    ended: float | None = None
    output: Output = Output()

    @property
    def character_count(self) -> int:
        """How long its texts are together: what it weighs on its way to the database."""
        texts = (self.error, self.traceback, self.return_value, self.output.head, self.output.tail)
        return sum(len(text) for text in texts if text)

    def by_queue_clock(self, *, now: datetime, instant: float) -> Self:
        """Return it with its times by the queue's clock, which says `now` at the monotonic time `instant`.

        Only the monotonic clock is asked how long ago it was: the other may have been set since.
        """
        if self.ended is None:
            return self
        finished_at = now - timedelta(seconds=instant - self.ended)
        return self._replace(started_at=finished_at - timedelta(seconds=self.run_seconds), finished_at=finished_at)

    def bare(self) -> Self:
        """Return it without the texts that could not be stored."""
        return self._replace(
            error="its outcome could not be stored whole",
            exception_class=None,
            traceback=None,
            return_value=None,
            output=Output(),
        )

    def to_wire(self) -> list[Any]:
        return [self.ending, self.started_at.timestamp(), self.finished_at.timestamp(), *self[3:]]

    @classmethod
    def from_wire(cls, wire: Sequence[Any]) -> Self:
        ending, started, finished, run_seconds, advice, *rest, output = wire
        times = _from_timestamp(started), _from_timestamp(finished)
        return cls._make((Ending(ending), *times, run_seconds, Advice(advice), *rest, Output._make(output)))
