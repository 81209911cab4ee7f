"""Ending a call to a server that says nothing: a half-open connection would otherwise be waited on for ever."""

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from jobs import conf, sql
from jobs.errors import DatabaseUnavailable


class Lifeline:
    """The socket of the newest connection to the queue's database, for another thread to cut: the call then fails."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        connection_created.connect(self._note)

    def _note(self, *, connection: BaseDatabaseWrapper, **_: Any) -> None:
        if connection.alias != conf.database_alias():
            return
        number = sql.for_connection(connection).socket_number(connection)
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            # A duplicate: the number of the original may belong to something else by the time it is used.
            self._socket = None if number is None else socket.socket(fileno=os.dup(number))

    def cut(self) -> None:
        """End whatever the connection is waiting for."""
        with self._lock:
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # cut already

    def close(self) -> None:
        connection_created.disconnect(self._note)
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class Deadline:
    """An execute wrapper for Django connections: a statement that takes longer than `seconds` is cut short.

    Raises DatabaseUnavailable then. What the server had begun, it may still finish.
    """

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._lifeline = Lifeline()

    def __call__(self, execute: Callable[..., Any], *statement: Any) -> Any:
        return self._within(lambda: execute(*statement))

    def guard_commits(self, connection: Any) -> None:
        """Let a commit take no longer, either: it is no statement to Django, and passes execute wrappers by."""
        commit = connection._commit
        connection._commit = lambda: self._within(commit)

    def _within(self, act: Callable[[], Any]) -> Any:
        was_cut = threading.Event()

        def cut() -> None:
            was_cut.set()
            self._lifeline.cut()

        timer = threading.Timer(self._seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            return act()
        except Error as error:
            if not was_cut.is_set():
                raise
            text = f"the database did not answer within {self._seconds:g} s; another transaction may hold a lock"
            raise DatabaseUnavailable(text) from error
        finally:
            timer.cancel()
