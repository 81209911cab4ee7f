"""Seeing to a log after an enqueue, where the database has one."""

import time

import pytest
from django.db import OperationalError, transaction

from jobs import new_job, queue, sql
from jobs.database import atomic, connection
from jobs.models import Job
from jobs.queue import _relieve
from tests.clock import NOW
from tests.faked_time import fake_time

pytestmark = pytest.mark.django_db(transaction=True)

DIALECT = sql.for_connection(connection)


@pytest.fixture(autouse=True)
def relieved(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """How often a database was relieved that has a log; and nobody has looked for long."""
    relieved: list[object] = []
    monkeypatch.setattr(DIALECT, "HAS_LOG", True)
    monkeypatch.setattr(DIALECT, "relieve", relieved.append)
    monkeypatch.setattr(_relieve, "_looked_at", 0.0)
    return relieved


def _new() -> new_job.NewJob:
    return new_job.from_fields({"command": "true"}, now=NOW)


def test_it_looks_after_an_enqueue_of_one_and_of_many(relieved, monkeypatch):
    queue.enqueue(_new(), now=NOW)
    assert len(relieved) == 1
    monkeypatch.setattr(_relieve, "_looked_at", 0.0)
    queue.enqueue_many([_new(), _new()], now=NOW)
    assert len(relieved) == 2


def test_it_waits_for_the_commit(relieved):
    with atomic():
        queue.enqueue(_new(), now=NOW)
        assert not relieved
    assert len(relieved) == 1


def test_it_does_nothing_after_what_is_undone(relieved):
    with atomic():
        queue.enqueue(_new(), now=NOW)
        transaction.set_rollback(True)
    assert not relieved


def test_it_does_not_look_after_each(relieved, monkeypatch):
    now = time.monotonic()
    fake_time(monkeypatch, "jobs.queue._relieve", monotonic=lambda: now)
    for _ in range(20):
        queue.enqueue(_new(), now=NOW)
    assert len(relieved) == 1
    now += _relieve.LOOK_SECONDS
    queue.enqueue(_new(), now=NOW)
    assert len(relieved) == 2


def test_it_does_not_spoil_an_enqueue(monkeypatch):
    def fail(_connection: object) -> None:
        raise OperationalError("disk I/O error")

    monkeypatch.setattr(DIALECT, "relieve", fail)
    assert Job.objects.filter(pk=queue.enqueue(_new(), now=NOW).pk).exists()
