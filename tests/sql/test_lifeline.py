"""Calls to a server that says nothing come to an end."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from jobs.errors import DatabaseUnavailable
from jobs.sql.lifeline import CALLS, Deadline, Lifeline


class Connection:
    """Django's wrapper of a connection to a server that never answers; the driver's is a socket."""

    def __init__(self) -> None:
        self.connection, self.server = socket.socketpair()
        self.execute_wrappers: list[Any] = []

    def get_new_connection(self, _parameters: object) -> socket.socket:
        return self.connection

    def ask(self) -> None:
        """Wait for an answer as a driver does."""
        if self.connection.recv(1) == b"":
            raise OperationalError("server closed the connection unexpectedly")

    def connect(self) -> None:
        self.get_new_connection({})
        self.ask()  # for the time zone, say

    def _commit(self) -> None:
        self.ask()

    def _rollback(self) -> None:
        self.ask()

    def _set_autocommit(self, _autocommit: bool) -> None:
        self.ask()

    def execute(self, statement: Any = None) -> Any:
        (wrapper,) = self.execute_wrappers
        return wrapper(statement or (lambda *_: self.ask()), "SELECT 1")


@pytest.fixture
def connection() -> Iterator[Any]:
    connection = Connection()
    yield connection
    connection.connection.close()
    connection.server.close()


@pytest.fixture
def lifeline(connection) -> Iterator[Lifeline]:
    lifeline = Lifeline()
    lifeline.watch(connection)
    yield lifeline
    lifeline.close()


@pytest.fixture
def deadline(connection) -> Iterator[Deadline]:
    deadline = Deadline(seconds=0.05)
    deadline.guard(connection)
    yield deadline
    deadline._lifeline.close()


def test_a_call_that_is_cut_fails_at_once(connection, lifeline):
    connection.get_new_connection({})
    threading.Timer(0.05, lifeline.cut).start()
    with pytest.raises(OperationalError):
        connection.ask()


def test_it_cuts_what_is_open_now_and_not_what_has_the_number_of_what_was(connection, lifeline):
    connection.get_new_connection({})
    number = connection.connection.fileno()
    connection.connection.close()
    another, other_end = socket.socketpair()
    with another, other_end:
        assert another.fileno() == number
        lifeline.cut()
        another.send(b"still open")
        assert other_end.recv(10) == b"still open"


def test_it_can_be_cut_twice_and_when_nothing_is_open(connection, lifeline):
    lifeline.cut()
    connection.get_new_connection({})
    lifeline.cut()
    lifeline.cut()


def test_a_statement_past_its_deadline_is_refused_with_the_reason(connection, deadline):
    connection.get_new_connection({})
    with pytest.raises(DatabaseUnavailable, match=r"did not answer within 0\.05 s"):
        connection.execute()


def test_a_statement_in_time_is_left_alone(connection, deadline):
    connection.get_new_connection({})
    assert connection.execute(lambda *_: "answer") == "answer"
    time.sleep(0.1)
    connection.connection.settimeout(0)
    with pytest.raises(BlockingIOError):  # open, and silent
        connection.connection.recv(1)


def test_a_statement_that_fails_in_time_fails_as_it_did(connection, deadline):
    def fail(*_):
        raise OperationalError("syntax error")

    with contextlib.suppress(DatabaseUnavailable), pytest.raises(OperationalError, match="syntax error"):
        connection.execute(fail)


@pytest.mark.parametrize("call", CALLS)
def test_so_has_what_is_no_statement_to_django(call: str, connection, deadline):
    if call != "connect":
        connection.get_new_connection({})
    arguments = [True] if call == "_set_autocommit" else []
    with pytest.raises(DatabaseUnavailable):
        getattr(connection, call)(*arguments)
