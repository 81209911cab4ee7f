"""Calls to a server that says nothing come to an end."""

import contextlib
import socket
import threading
import time
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from jobs import sql
from jobs.database import connection
from jobs.errors import DatabaseUnavailable
from jobs.sql.lifeline import Deadline, Lifeline

DIALECT = sql.for_connection(connection)


@pytest.fixture
def lifeline():
    lifeline = Lifeline()
    yield lifeline
    lifeline.close()


@pytest.fixture
def deadline():
    deadline = Deadline(seconds=0.05)
    yield deadline
    deadline._lifeline.close()


@pytest.fixture
def silent_server(monkeypatch: pytest.MonkeyPatch):
    """The socket of a connection to a server that never answers."""
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(DIALECT, "socket_number", lambda _: ours.fileno())
    with ours, theirs:
        yield ours


def _ask(server: socket.socket) -> None:
    """Wait for an answer as a driver does."""
    if server.recv(1) == b"":
        raise OperationalError("server closed the connection unexpectedly")


def test_a_call_that_is_cut_fails_at_once(silent_server, lifeline):
    lifeline._note(connection=connection)
    threading.Timer(0.05, lifeline.cut).start()
    with pytest.raises(OperationalError):
        _ask(silent_server)


def test_it_cuts_what_is_open_now_and_not_what_has_the_number_of_what_was(silent_server, lifeline):
    lifeline._note(connection=connection)
    number = silent_server.fileno()
    silent_server.close()
    another, other_end = socket.socketpair()
    with another, other_end:
        assert another.fileno() == number
        lifeline.cut()
        another.send(b"still open")
        assert other_end.recv(10) == b"still open"


def test_it_can_be_cut_twice_and_when_nothing_is_open(silent_server, lifeline):
    lifeline.cut()
    lifeline._note(connection=connection)
    lifeline.cut()
    lifeline.cut()


def test_a_statement_past_its_deadline_is_refused_with_the_reason(silent_server, deadline):
    deadline._lifeline._note(connection=connection)
    with pytest.raises(DatabaseUnavailable, match=r"did not answer within 0\.05 s"):
        deadline(lambda *_: _ask(silent_server), "SELECT 1")


def test_a_statement_in_time_is_left_alone(silent_server, deadline):
    deadline._lifeline._note(connection=connection)
    assert deadline(lambda *_: "answer", "SELECT 1") == "answer"
    time.sleep(0.1)
    silent_server.settimeout(0)
    with pytest.raises(BlockingIOError):  # open, and silent
        silent_server.recv(1)


def test_a_statement_that_fails_in_time_fails_as_it_did(silent_server, deadline):
    def fail(*_):
        raise OperationalError("syntax error")

    with contextlib.suppress(DatabaseUnavailable), pytest.raises(OperationalError, match="syntax error"):
        deadline(fail, "SELECT 1")


def test_a_commit_has_a_deadline_too(silent_server, deadline):
    deadline._lifeline._note(connection=connection)
    wrapper = SimpleNamespace(_commit=lambda: _ask(silent_server))
    deadline.guard_commits(wrapper)
    with pytest.raises(DatabaseUnavailable):
        wrapper._commit()
