"""The transaction around a test, which never commits: what waits for its end is run all the same, and a failed
statement of one job does not end it for the rest of the test.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TestCase

from jobs import queue

logger = logging.getLogger(__name__)

_captured: list[Any] = []  # entries that a test has taken into its own hands, as long as they are there


def _ran() -> None:
    """Stands for a callback that was run. Not removed: `captureOnCommitCallbacks()` goes by positions."""


def waiting_count() -> int:
    """Return how many callbacks of the project wait for a commit."""
    waiting = [entry for connection in _in_test() for entry in _entries(connection) if _is_waiting(entry)]
    return sum(not _is_announcement(callback) for _, callback, _ in waiting)


def run_on_commit() -> None:
    """Run what waits for a commit, on every connection, and what it adds. Raise what it raises."""
    while any(_is_waiting(entry) for connection in _in_test() for entry in _entries(connection)):
        for connection in _in_test():
            _run_on_commit(connection)


def _run_on_commit(connection: BaseDatabaseWrapper) -> None:
    place = 0
    while place < len(entries := _entries(connection)):  # it grows
        entry, place = entries[place], place + 1
        if _is_waiting(entry):
            savepoints, callback, is_robust = entry
            entries[place - 1] = (savepoints, _ran, is_robust)
            _call(callback, is_robust=is_robust)


def _call(callback: Callable[[], object], *, is_robust: bool) -> None:
    try:
        callback()
    except Exception as error:
        if not is_robust:
            raise
        logger.exception("on_commit(robust=True) failed: %s", error)


def _entries(connection: BaseDatabaseWrapper) -> list[Any]:
    """Return the callbacks, each with its savepoints before it, and whether it may fail after it."""
    return connection.run_on_commit


def _is_waiting(entry: Any) -> bool:
    return entry[1] is not _ran and not any(entry is captured for captured in _captured)


def _is_announcement(callback: Callable[[], object]) -> bool:
    """Return whether it is the queue's own word to its supervisors."""
    return isinstance(callback, partial) and callback.func.__module__.startswith(queue.__name__)


def _watch_captures() -> None:
    """Notice what `captureOnCommitCallbacks()` captures. Django leaves in the list what it has run: a drain after it
    would run that a second time.
    """
    capture: Any = TestCase.captureOnCommitCallbacks.__func__  # type: ignore[attr-defined]

    @contextmanager
    def watched(cls: type[TestCase], *, using: str = DEFAULT_DB_ALIAS, execute: bool = False) -> Iterator[list[Any]]:
        start = len(_entries(connections[using]))
        try:
            with capture(cls, using=using, execute=execute) as callbacks:
                yield callbacks
        finally:
            present = {id(entry) for connection in connections.all() for entry in _entries(connection)}
            _captured[:] = [entry for entry in _captured if id(entry) in present]
            _captured.extend(_entries(connections[using])[start:])

    TestCase.captureOnCommitCallbacks = classmethod(watched)  # type: ignore[assignment,method-assign]


_watch_captures()


@contextmanager
def kept_usable() -> Iterator[None]:
    """Undo on each connection all that was done in this block, if a failed statement has made it useless.

    Without a test's transaction around it, only that statement would be undone.
    """
    points: list[tuple[BaseDatabaseWrapper, Any]] = [(each, each.savepoint()) for each in _in_test()]
    try:
        yield
    finally:
        for connection, point in points:
            if connection.needs_rollback or not connection.is_usable():
                connection.set_rollback(False)
                connection.savepoint_rollback(point)
            else:
                connection.savepoint_commit(point)


def _in_test() -> list[BaseDatabaseWrapper]:
    return [connection for connection in connections.all(initialized_only=True) if connection.in_atomic_block]
