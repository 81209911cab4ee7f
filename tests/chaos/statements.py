"""Death at the n-th database statement of a process, before it or after it. A commit counts as a statement."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


class Fuse:
    """Counts the statements of this process, on all its connections; processes forked from it are not counted."""

    def __init__(self, at: int, *, is_after: bool) -> None:
        self._at = at
        self._is_after = is_after
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self.count = 0

    def around(self, make: Callable[[], Any]) -> Any:
        """Make a statement, if this process lives to see it."""
        is_mine = self._counts_up() == self._at
        if is_mine and not self._is_after:
            self._blow()
        result = make()
        if is_mine and self._is_after:
            self._blow()
        return result

    def _counts_up(self) -> int:
        if os.getpid() != self._pid:
            return 0
        with self._lock:
            self.count += 1
            return self.count

    def _blow(self) -> None:
        os.kill(self._pid, signal.SIGKILL)


def arm(at: int, *, is_after: bool) -> None:
    """Let this process die at that statement."""
    fuse = Fuse(at, is_after=is_after)

    def around_statement(execute: Callable[..., Any], *arguments: Any) -> Any:
        return fuse.around(lambda: execute(*arguments))

    def on_connection(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
        if around_statement not in connection.execute_wrappers:
            connection.execute_wrappers.append(around_statement)

    connection_created.connect(on_connection, weak=False)
    _count_commits(BaseDatabaseWrapper, fuse)


def _count_commits(wrapper: Any, fuse: Fuse) -> None:
    commit = wrapper._commit

    def counted_commit(self: BaseDatabaseWrapper) -> Any:
        return fuse.around(lambda: commit(self))

    wrapper._commit = counted_commit
