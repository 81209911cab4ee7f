"""The queue's clock: the server's where there is one, carried on by the monotonic clock."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from jobs import clock, sql
from jobs.database import connection
from tests.faked_time import fake_time

pytestmark = pytest.mark.django_db

DIALECT = sql.for_connection(connection)
SLACK = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _forgotten():
    clock._told.clear()
    yield
    clock._told.clear()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    """A server whose clock is an hour ahead; it counts how often it is asked."""
    asked = []

    def server_time(_connection):
        asked.append(1)
        return datetime.now(UTC) + timedelta(hours=1)

    monkeypatch.setattr(DIALECT, "server_time", server_time)
    return asked


def test_it_goes_by_the_server(server):
    assert abs(clock.now() - datetime.now(UTC) - timedelta(hours=1)) < SLACK
    assert abs(clock.skew() - timedelta(hours=1)) < SLACK


def test_it_asks_once_and_then_carries_on_by_itself(server, monkeypatch):
    first = clock.now()
    later = time.monotonic() + 30
    fake_time(monkeypatch, "jobs.clock", monotonic=lambda: later)
    assert clock.now() - first > timedelta(seconds=29)
    assert len(server) == 1


def test_it_asks_again_after_a_while(server, monkeypatch):
    clock.now()
    later = time.monotonic() + clock.ASK_SECONDS + 1
    fake_time(monkeypatch, "jobs.clock", monotonic=lambda: later)
    clock.now()
    assert len(server) == 2


def test_an_estimate_asks_nobody(server):
    clock.estimate()
    assert not server


def test_it_is_this_machine_s_where_there_is_no_server(monkeypatch):
    monkeypatch.setattr(DIALECT, "server_time", lambda _: None)
    assert abs(clock.now() - datetime.now(UTC)) < SLACK
    assert clock.skew() == timedelta()


def test_the_configured_database_tells_a_time_or_that_it_has_none():
    answer = DIALECT.server_time(connection)
    assert answer is None or abs(answer - datetime.now(UTC)) < timedelta(minutes=1)
