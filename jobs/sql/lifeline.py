"""Ending a call to a server that says nothing: a half-open connection would otherwise be waited on for ever."""

import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import Error

from jobs.errors import DatabaseUnavailable

# What asks the server and is no statement to Django, and so passes execute wrappers by.
CALLS = ("connect", "_commit", "_rollback", "_set_autocommit")


class Lifeline:
    """The socket of a thread's newest connection to the server, for another thread to cut: the call then fails."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def watch(self, connection: Any) -> None:
        """Know each socket of that connection as soon as there is one: Django asks the server before it says so."""
        make = connection.get_new_connection

        def made(parameters: Any) -> Any:
            raw = make(parameters)
            self._note(raw.fileno())
            return raw

        connection.get_new_connection = made

    def _note(self, number: int) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            # A duplicate: the number of the original may belong to something else by the time it is used.
            self._socket = socket.socket(fileno=os.dup(number))

    def cut(self) -> None:
        """End whatever the connection is waiting for."""
        with self._lock:
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # cut already

    def close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class Deadline:
    """Cuts short whatever a Django connection asks the server for longer than `seconds`.

    Raises DatabaseUnavailable then. What the server had begun, it may still finish.
    """

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._lifeline = Lifeline()

    def guard(self, connection: Any) -> None:
        """Watch over all that this connection does from now on."""
        self._lifeline.watch(connection)
        connection.execute_wrappers.append(self._execute)
        for name in CALLS:
            setattr(connection, name, partial(self._within, getattr(connection, name)))

    def _execute(self, execute: Callable[..., Any], *statement: Any) -> Any:
        return self._within(execute, *statement)

    def _within(self, act: Callable[..., Any], *arguments: Any) -> Any:
        was_cut = threading.Event()

        def cut() -> None:
            was_cut.set()
            self._lifeline.cut()

        timer = threading.Timer(self._seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            return act(*arguments)
        except Error as error:
            if not was_cut.is_set():
                raise
            text = f"the database did not answer within {self._seconds:g} s; another transaction may hold a lock"
            raise DatabaseUnavailable(text) from error
        finally:
            timer.cancel()
