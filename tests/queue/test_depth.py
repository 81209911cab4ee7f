"""The depth of the queue: noted once a minute by one supervisor, at a cost that has a limit."""

import pytest

from jobs import queue
from jobs.models import DEPTH_MAX, Depth
from jobs.queue import _depth
from jobs.states import State
from tests.clock import NOW, after
from tests.factories import make_job

pytestmark = pytest.mark.django_db


def depths() -> list[tuple[int, int]]:
    return list(Depth.objects.order_by("minute").values_list("pending", "processing"))


def test_it_counts_what_waits_and_what_runs_in_all_queues():
    for state in State:
        make_job(id=state, state=state)
    make_job(id="other", queue="mail")

    queue.note_depth(now=NOW)

    assert depths() == [(2, 1)]
    assert Depth.objects.get().minute == NOW.replace(second=0, microsecond=0)


def test_it_keeps_the_first_look_of_a_minute():
    queue.note_depth(now=NOW)
    make_job()
    queue.note_depth(now=NOW)
    queue.note_depth(now=after(seconds=60))

    assert depths() == [(0, 0), (1, 0)]


def test_it_stops_counting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_depth, "DEPTH_MAX", 3)
    for number in range(5):
        make_job(id=str(number), queue=f"q{number % 2}")

    queue.note_depth(now=NOW)

    assert depths() == [(3, 0)]
    assert DEPTH_MAX >= 1_000  # as far as a person wants to read a chart


def test_it_is_forgotten_after_a_week_and_a_day():
    queue.note_depth(now=after(seconds=-9 * 86_400))
    queue.note_depth(now=after(seconds=-7 * 86_400))

    list(queue.prune(policies=queue.load_policies(now=NOW), now=NOW))

    assert Depth.objects.count() == 1
