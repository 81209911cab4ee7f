"""What the reference model keeps, and what is read from the tables to be compared with it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from jobs.states import Ending, State


class Key(NamedTuple):
    """One claim: the job, the number of the supervisor, and the fence."""

    id: str
    supervisor: int
    fence: int


@dataclass(slots=True, kw_only=True)
class JobRow:
    """A job; `owner` is the number of the supervisor that holds it."""

    id: str
    queue: str
    state: State
    priority: int
    max_retries: int | None
    backoff_base: float | None
    backoff_max_seconds: float | None
    timeout_seconds: float | None
    run_at: datetime
    enqueued_at: datetime
    attempts: int = 0
    postponements: int = 0
    fence: int = 0
    owner: int | None = None
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    outcome: Ending | None = None
    exit_code: int | None = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class AttemptRow:
    number: int
    host: str
    pid: int | None
    started_at: datetime
    finished_at: datetime | None = None
    outcome: Ending | None = None
    exit_code: int | None = None
    error: str | None = None


@dataclass(slots=True, kw_only=True)
class SupervisorRow:
    heartbeat_at: datetime
    beats: int = 0
    is_lost: bool = False
    is_stopped: bool = False

    @property
    def is_gone(self) -> bool:
        return self.is_lost or self.is_stopped


class Claimed(NamedTuple):
    """What a supervisor is told of a job it has claimed, as far as rules decide it."""

    key: Key
    attempt: int
    timeout_seconds: float | None
    queue_max_retries: int


class Recorded(NamedTuple):
    key: Key
    state: State


@dataclass(slots=True, kw_only=True)
class Turn:
    """What one turn of a supervisor did. `is_lost`: it was taken for dead, and did nothing."""

    recorded: list[Recorded]
    claimed: list[Claimed]
    is_lost: bool = False


@dataclass(slots=True, kw_only=True)
class Report:
    """What a verb did: the ids it changed, and the kind of refusal for each of the others."""

    changed: list[str]
    refused: dict[str, str]


class Kept(NamedTuple):
    """What an undo needs of a job that a verb changed: how it was, how the verb left it, and when."""

    before: JobRow
    left: JobRow
    at: datetime


@dataclass(slots=True, kw_only=True)
class Undone:
    """What an undo did: the ids it put back, and why it left the others."""

    put_back: list[str]
    left: dict[str, str]
