"""Statements the ORM cannot say, one module per database. Only `for_connection` asks which database it is."""

from collections.abc import Sequence
from datetime import datetime
from types import ModuleType
from typing import Any, Protocol, cast

from django.conf import settings
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from jobs.errors import DatabaseUnavailable
from jobs.sql import mysql, postgresql, sqlite
from jobs.sql.address import address as address
from jobs.sql.rows import Finish
from jobs.sql.waking import Waker
from jobs.states import State


class Dialect(Protocol):
    """What a database module offers. Every function runs on `connection`, inside the caller's transaction."""

    IS_LOCAL: bool  # all who use this database are on one machine
    CAN_ANNOUNCE: bool  # `announce` does something
    HAS_LOG: bool  # a file that grows with each commit until one of us shortens it; `relieve` does something
    LEASE_SECONDS: float  # how long a supervisor may be silent, if the project does not say

    def prepare(self, connection: BaseDatabaseWrapper, *, idle_seconds: float) -> None:
        """Set up the connection of a supervisor. A server ends its transaction when it is silent for so long within it.

        Else one that is frozen there would keep others from what it has locked: its own row, and its jobs.
        """

    def check(self, connection: BaseDatabaseWrapper) -> None:
        """Raise DatabaseUnavailable if the place is wrong: no file, no permission."""

    def server_time(self, connection: BaseDatabaseWrapper) -> datetime | None:
        """Return the time of the database server; None where there is no server."""

    def network_file_system(self, connection: BaseDatabaseWrapper) -> str | None:
        """Return the kind of network file system that the database's file is on; None if on none. Asks no database."""

    def waker(self, connection: BaseDatabaseWrapper) -> Waker:
        """Return how a supervisor that waits learns that there may be work."""

    def announce(self, connection: BaseDatabaseWrapper, queue: str) -> None:
        """Wake the supervisors that wait for jobs of `queue` (`*`: all), after a commit."""

    def maintain(self, connection: BaseDatabaseWrapper) -> None:
        """Do what the database needs now and then; called about once a second by each supervisor."""

    def relieve(self, connection: BaseDatabaseWrapper) -> None:
        """Do the most urgent of it, after a commit, where no supervisor has done so for long."""

    def pending_queues(self, connection: BaseDatabaseWrapper) -> list[str]:
        """Return the names of the queues with pending jobs, at a cost that does not grow with the jobs."""

    def claim(
        self, connection: BaseDatabaseWrapper, *, queues: Sequence[str], limit: int, supervisor_id: int, now: datetime
    ) -> Sequence[Sequence[Any]]:
        """Claim the first pending jobs in order of priority, run_at and id, at most `limit`.

        Return their rows of `CLAIM_COLUMNS`, as updated, in any order.
        """

    def finish(
        self, connection: BaseDatabaseWrapper, finishes: Sequence[Finish], attempts: Sequence[Sequence[Any] | None]
    ) -> dict[str, State]:
        """Write the ends of claims, each with its attempt (None: it made none), if its fence still matches.

        Return the state of each job that was written.
        """

    def record_attempts(self, connection: BaseDatabaseWrapper, attempts: Sequence[Sequence[Any]]) -> None:
        """Write attempts, over the rows of their running selves. Columns are `ATTEMPT_COLUMNS`."""

    def insert_job(self, connection: BaseDatabaseWrapper, job: Sequence[Any]) -> bool:
        """Store a job, of `JOB_COLUMNS`. Return False, with nothing changed, if its id is taken."""

    def insert_jobs(self, connection: BaseDatabaseWrapper, jobs: Sequence[Sequence[Any]]) -> None:
        """Store jobs, each of `JOB_COLUMNS`. Raise IntegrityError if an id is taken; some may be stored by then."""

    def limit_wait(self, connection: BaseDatabaseWrapper, *, seconds: float) -> None:
        """Wait for a lock no longer than that, from the next connection on. For commands that a person waits for."""

    def facts(self, connection: BaseDatabaseWrapper) -> dict[str, str]:
        """Return what a diagnosis needs to know: `product` always, the rest as the database has it."""

    def is_outage(self, error: Exception) -> bool:
        """Return whether the database could not do its work, so that the same statement may succeed later."""

    def is_busy(self, error: Exception) -> bool:
        """Return whether another process just holds the database, so that trying again soon is all it takes."""

    def is_crowded(self, error: Exception) -> bool:
        """Return whether the server is only not ready for one more: starting, or out of connections."""

    def is_conflict(self, error: Exception) -> bool:
        """Return whether the transaction was undone for the sake of another one, and can be made again at once."""

    def explain(self, connection: BaseDatabaseWrapper, error: Error) -> DatabaseUnavailable | None:
        """Return what a database error means to a person if it says busy, full or unreachable; else None."""


_DIALECTS: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql, "mysql": mysql}


def for_connection(connection: BaseDatabaseWrapper) -> Dialect:
    """Return the module for this connection's database."""
    return cast(Dialect, _DIALECTS[connection.vendor])


def check(connection: BaseDatabaseWrapper) -> None:
    """Raise DatabaseUnavailable if the queue cannot be there: the place is wrong, or times have no zone."""
    if not settings.USE_TZ:
        raise DatabaseUnavailable("the queue needs times with a time zone: set USE_TZ = True in the project's settings")
    for_connection(connection).check(connection)
