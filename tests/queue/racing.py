"""Several connections at once: all at one instant, or one in the middle of what another does."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import DatabaseError, OperationalError, connection, connections

from jobs import sql

Result = TypeVar("Result")

PATIENCE_SECONDS = 30.0  # a thread that takes longer hangs


def race(*actions: Callable[[], Result]) -> list[Result]:
    """Start the actions at one instant, each on a connection of its own; return what they return, in their order."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], Result]) -> Result:
        try:
            connection.ensure_connection()
            barrier.wait(PATIENCE_SECONDS)
            return action()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(actions)) as pool:
        started = [pool.submit(run, action) for action in actions]
        return [each.result(PATIENCE_SECONDS) for each in started]


@contextlib.contextmanager
def interrupted(*, before: str, by: Callable[[], object]) -> Iterator[None]:
    """Let another connection do something just before the first statement that starts with `before`.

    Where the database makes the other wait, the statements on either side are one transaction, and it does nothing.
    """
    is_done = False

    def interrupt(execute: Callable[..., Any], statement: str, *arguments: Any) -> Any:
        nonlocal is_done
        if statement.lstrip().startswith(before) and not is_done:
            is_done = True
            race(lambda: _try(by))
        return execute(statement, *arguments)

    with impatience(), connection.execute_wrapper(interrupt):
        yield


def _try(action: Callable[[], object]) -> None:
    try:
        action()
    except DatabaseError as error:
        if sql.for_connection(connection).explain(connection, error) is None:
            raise


def busy_error() -> OperationalError:
    """Return what Django raises when another transaction holds a lock for too long."""
    if connection.vendor == "sqlite":
        return OperationalError("database is locked")
    if connection.vendor == "mysql":
        return OperationalError(1205, "Lock wait timeout exceeded; try restarting transaction")
    from psycopg.errors import LockNotAvailable

    error = OperationalError("canceling statement due to lock timeout")
    error.__cause__ = LockNotAvailable()
    return error


@contextlib.contextmanager
def impatience() -> Iterator[None]:
    """Let connections that are opened meanwhile give up at once where they would wait for a lock."""
    options = connection.settings_dict["OPTIONS"]
    sql.for_connection(connection).limit_wait(connection, seconds=0.0)
    if connection.vendor == "postgresql":  # where the command line cuts its own connection instead, see `Deadline`
        connection.settings_dict["OPTIONS"] |= {"options": "-c lock_timeout=100"}
    try:
        yield
    finally:
        connection.settings_dict["OPTIONS"] = options
