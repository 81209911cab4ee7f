"""Telling the supervisors that wait, where the database can."""

import time

import pytest
from django.db import OperationalError, transaction

from jobs import new_job, queue, sql
from jobs.database import atomic, connection
from jobs.models import ALL_QUEUES, Config
from jobs.queue import _announce
from jobs.states import State
from tests.clock import NOW
from tests.factories import make_job, make_supervisor
from tests.faked_time import fake_time

pytestmark = pytest.mark.django_db(transaction=True)

DIALECT = sql.for_connection(connection)


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was told, on a database that can be told."""
    told: list[str] = []
    monkeypatch.setattr(DIALECT, "CAN_ANNOUNCE", True)
    monkeypatch.setattr(DIALECT, "announce", lambda _connection, name: told.append(name))
    monkeypatch.setattr(_announce, "_told_at", {})
    return told


def _enqueue(**fields: object) -> None:
    queue.enqueue(new_job.from_fields({"command": "true", **fields}, now=NOW), now=NOW)


def test_it_names_the_queue(told):
    _enqueue(queue="letters")
    assert told == ["letters"]


def test_it_waits_for_the_commit(told):
    with atomic():
        _enqueue()
        assert not told
    assert told == ["default"]


def test_it_says_nothing_of_what_is_undone(told):
    with atomic():
        _enqueue()
        transaction.set_rollback(True)
    assert not told


def test_it_is_brief_about_many(told, monkeypatch):
    now = time.monotonic()
    fake_time(monkeypatch, "jobs.queue._announce", monotonic=lambda: now)
    for _ in range(20):
        _enqueue()
    _enqueue(queue="letters")
    assert told == ["default", "letters"]


def test_it_speaks_again_after_a_while(told, monkeypatch):
    _enqueue()
    later = time.monotonic() + _announce.QUIET_SECONDS
    fake_time(monkeypatch, "jobs.queue._announce", monotonic=lambda: later)
    _enqueue()
    assert told == ["default", "default"]


def test_a_batch_is_told_of_once_for_each_queue(told):
    news = [new_job.from_fields({"command": "true", "queue": name}, now=NOW) for name in "abab"]
    queue.enqueue_many(news, now=NOW)
    assert told == ["a", "b"]


@pytest.mark.parametrize(
    "act",
    [
        lambda: queue.requeue(["dead"], now=NOW),
        lambda: queue.cancel(["waiting"], now=NOW),
        lambda: queue.set_knob("timeout", 3, now=NOW, by="tests"),
        lambda: queue.unset_knob("timeout", now=NOW, by="tests"),
        lambda: queue.pause("letters", now=NOW, by="tests"),
        lambda: queue.request_stop(ids=None, grace_seconds=None, now=NOW),
    ],
)
def test_what_people_ask_reaches_everybody(told, act):
    make_supervisor()
    make_job(id="dead", state=State.DEAD)
    make_job(id="waiting")
    Config.objects.create(queue=ALL_QUEUES, timeout=9)
    act()
    assert told == ["*"]


def test_a_job_is_stored_also_when_nobody_can_be_told(monkeypatch):
    def fail(_connection, _name):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(DIALECT, "announce", fail)
    _enqueue(id="job1")
    assert queue.cancel(["job1"], now=NOW).changed == ["job1"]
