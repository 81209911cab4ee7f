"""Statements the ORM cannot say, one module per database. Only `for_connection` asks which database it is."""

from collections.abc import Sequence
from datetime import datetime
from types import ModuleType
from typing import Any, Protocol, cast

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from jobs.errors import DatabaseUnavailable
from jobs.file_watch import FileWatch
from jobs.outcome import Claim
from jobs.sql import sqlite
from jobs.sql.rows import Finish
from jobs.states import State


class Dialect(Protocol):
    """What a database module offers. Every function runs on `connection`, inside the caller's transaction."""

    IS_LOCAL: bool  # all who use this database are on one machine

    def prepare(self, connection: BaseDatabaseWrapper) -> None:
        """Set up the connection of a supervisor."""

    def check(self, connection: BaseDatabaseWrapper) -> None:
        """Raise DatabaseUnavailable if the place is wrong: no file, no permission."""

    def change_token(self, connection: BaseDatabaseWrapper) -> int | None:
        """Return a number that changes when another connection commits; None where the database has none."""

    def watch(self, connection: BaseDatabaseWrapper) -> FileWatch | None:
        """Return what becomes readable when anybody may have committed; None: look at the change token instead."""

    def maintain(self, connection: BaseDatabaseWrapper) -> None:
        """Do what the database needs now and then; called about once a second by each supervisor."""

    def pending_queues(self, connection: BaseDatabaseWrapper) -> list[str]:
        """Return the names of the queues with pending jobs, at a cost that does not grow with the jobs."""

    def claim(
        self, connection: BaseDatabaseWrapper, *, queues: Sequence[str], limit: int, supervisor_id: int, now: datetime
    ) -> list[Claim]:
        """Claim at most `limit` pending jobs, in order of priority, run_at and id. Timeouts are the jobs' own."""

    def finish(self, connection: BaseDatabaseWrapper, finishes: Sequence[Finish]) -> dict[str, State]:
        """Write the ends of claims; return the state of each job whose fence still matched."""

    def record_attempts(self, connection: BaseDatabaseWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Write attempts, over the rows of their running selves. Columns are `ATTEMPT_COLUMNS`."""

    def limit_wait(self, connection: BaseDatabaseWrapper, *, seconds: float) -> None:
        """Wait for a lock no longer than that, from the next connection on. For commands that a person waits for."""

    def facts(self, connection: BaseDatabaseWrapper) -> dict[str, str]:
        """Return what a diagnosis needs to know: `product` always, the rest as the database has it."""

    def is_busy(self, error: Exception) -> bool:
        """Return whether another process just holds the database, so that trying again soon is all it takes."""

    def explain(self, error: DatabaseError) -> DatabaseUnavailable | None:
        """Return what a database error means to a person if it says busy, full or unreachable; else None."""


_DIALECTS: dict[str, ModuleType] = {"sqlite": sqlite}


def for_connection(connection: BaseDatabaseWrapper) -> Dialect:
    """Return the module for this connection's database."""
    return cast(Dialect, _DIALECTS[connection.vendor])
