"""Values that travel between a supervisor and its workers: the claim going out, the outcome coming back.

Both cross a pipe as JSON, so each knows its own wire form: a plain dict of JSON values.
"""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from jobs.states import Ending, Kind


class Advice(StrEnum):
    """What a failed attempt says about the next one."""

    RETRY = "retry"  # run again after the backoff, if attempts are left
    AT_ONCE = "at_once"  # run again without the backoff, if attempts are left: its supervisor died, not the job
    LATER = "later"  # run again after the backoff without spending an attempt (exit 75)
    NEVER = "never"  # no further attempt: straight to the Dead Letter Queue (exit 100, bad signature)


def storable(text: str | None) -> str | None:
    """Return `text` as every database takes it: NUL shown as its symbol, lone surrogates as question marks."""
    return None if text is None else text.replace("\0", "␀").encode(errors="replace").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What an attempt printed: its first and its last part, and how many bytes between them were dropped."""

    head: str = ""
    tail: str = ""
    dropped_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claimed job, with all a worker needs to run it and all a supervisor needs to record it.

    `supervisor_id` and `fence` tell it from every other claim, even of a later job that was given the id of a deleted
    one and starts counting anew.
    """

    id: str
    supervisor_id: int
    fence: int
    attempt: int
    kind: Kind
    queue: str
    command: str | None = None
    uses_shell: bool = True
    cwd: str | None = None
    env: dict[str, str] | None = None
    signature: str | None = None
    task: str | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    max_retries: int | None = None  # the job's own; None: look it up when the attempt ends
    timeout_seconds: float | None = None  # None: no limit
    postponements: int = 0  # how often exit 75 has already postponed it
    enqueued_at: datetime
    run_at: datetime
    claimed_at: datetime

    def to_wire(self) -> dict[str, Any]:
        """Return what the worker needs, as JSON values; the rest stays with the supervisor."""
        return {name: getattr(self, name) for name in _CLAIM_WIRE} | {"times": [t.timestamp() for t in self._times]}

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Self:
        enqueued_at, run_at, claimed_at = (datetime.fromtimestamp(t, UTC) for t in wire.pop("times"))
        kind = Kind(wire.pop("kind"))
        return cls(**wire, kind=kind, enqueued_at=enqueued_at, run_at=run_at, claimed_at=claimed_at)

    @property
    def _times(self) -> tuple[datetime, datetime, datetime]:
        return self.enqueued_at, self.run_at, self.claimed_at


_CLAIM_WIRE = (
    "id", "supervisor_id", "fence", "attempt", "kind", "queue", "command", "uses_shell", "cwd", "env", "signature",
    "task", "args", "kwargs", "max_retries", "timeout_seconds", "postponements",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt ended.

    `started_at` and `finished_at` are wall-clock times for people; `run_seconds` is measured on the monotonic clock.
    `pid` is the process that ran the job: the command itself for a shell job, the worker for a task.
    `error` is one line; `traceback` is the whole story where there is one.
    """

    ending: Ending
    advice: Advice = Advice.RETRY
    started_at: datetime
    finished_at: datetime
    run_seconds: float
    pid: int | None = None
    exit_code: int | None = None
    error: str | None = None
    traceback: str | None = None
    output: Output = field(default_factory=Output)

    def to_wire(self) -> dict[str, Any]:
        wire = asdict(self)
        wire["started_at"] = self.started_at.timestamp()
        wire["finished_at"] = self.finished_at.timestamp()
        return wire

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Self:
        return cls(
            ending=Ending(wire.pop("ending")),
            advice=Advice(wire.pop("advice")),
            started_at=datetime.fromtimestamp(wire.pop("started_at"), UTC),
            finished_at=datetime.fromtimestamp(wire.pop("finished_at"), UTC),
            output=Output(**wire.pop("output")),
            **wire,
        )
