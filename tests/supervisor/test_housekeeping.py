"""Keeping house: in moments, in turn, and by the eldest alone where one is enough."""

from datetime import datetime

import pytest
from django.db import OperationalError

from jobs import queue
from jobs.models import FOLDED, Counter, Depth, Job
from jobs.states import State
from jobs.supervisor import housekeeping
from jobs.supervisor.housekeeping import Housekeeper
from tests.clock import NOW, after
from tests.factories import make_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def housekeeper(monkeypatch: pytest.MonkeyPatch) -> Housekeeper:
    monkeypatch.setattr(housekeeping, "ROUND_SECONDS", 0.0)
    return Housekeeper()


def keep(housekeeper: Housekeeper, *, is_eldest: bool = True, now: datetime = NOW) -> None:
    housekeeper.keep(policies=queue.load_policies(now=now), is_eldest=is_eldest, now=now)


def test_it_deletes_what_is_old_and_folds_counters(housekeeper: Housekeeper):
    make_job(state=State.COMPLETED, finished_at=after(seconds=-365 * 86_400))
    Counter.objects.create(minute=after(seconds=-86_400), queue="default", writer=7, completed=5)
    keep(housekeeper)
    assert not Job.objects.exists()
    assert Counter.objects.values_list("writer", "completed").get() == (FOLDED, 5)


def test_it_leaves_to_the_eldest_what_one_should_do(housekeeper: Housekeeper):
    Counter.objects.create(minute=after(seconds=-86_400), queue="default", writer=7)
    keep(housekeeper, is_eldest=False)
    assert Counter.objects.get().writer == 7
    assert not Depth.objects.exists()


def test_it_notes_the_depth_once_a_minute(housekeeper: Housekeeper, monkeypatch: pytest.MonkeyPatch):
    looked: list[datetime] = []
    monkeypatch.setattr("jobs.queue.note_depth", lambda now: looked.append(now))  # noqa: PLW0108 - it is passed by name
    minute = NOW.replace(second=0)
    for seconds in (0, 1, 59, 60, 61):
        keep(housekeeper, now=after(seconds=seconds - NOW.second))
    assert looked == [minute, after(seconds=60 - NOW.second)]


def test_it_looks_again_in_a_minute_in_which_the_database_failed(
    housekeeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
):
    def fail(now: datetime) -> None:
        raise OperationalError

    with monkeypatch.context() as patched:
        patched.setattr("jobs.queue.note_depth", fail)
        with pytest.raises(OperationalError):
            keep(housekeeper)
    keep(housekeeper)
    assert Depth.objects.exists()


def test_it_goes_on_where_it_stopped(housekeeper: Housekeeper, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jobs.queue._prune.PRUNED_PER_TRANSACTION", 1)
    monkeypatch.setattr(housekeeping, "MOMENT_SECONDS", 0.0)
    make_job(state=State.COMPLETED, finished_at=after(seconds=-365 * 86_400))
    keep(housekeeper)
    assert Job.objects.exists()  # there was no time
    monkeypatch.setattr(housekeeping, "MOMENT_SECONDS", 10.0)
    keep(housekeeper)
    assert not Job.objects.exists()


def test_it_says_once_that_others_run_newer_code(housekeeper: Housekeeper, monkeypatch: pytest.MonkeyPatch, caplog):
    monkeypatch.setattr("jobs.schema.unknown", lambda: ["0999_newer"])
    keep(housekeeper)
    keep(housekeeper)
    assert caplog.text.count("newer than this code (0999_newer)") == 1
