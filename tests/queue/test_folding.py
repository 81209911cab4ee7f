"""Folding counters: fewer rows, the same sums."""

from datetime import datetime, timedelta

import pytest

from jobs import histogram, queue, stats
from jobs.models import FOLDED, Counter
from jobs.states import State
from tests.clock import NOW, after
from tests.factories import make_claim, make_outcome

pytestmark = pytest.mark.django_db

LONG_AGO = datetime.fromisoformat("2026-01-01T08:20:00+00:00")  # the day before NOW
DAYS = timedelta(days=3)


def make_counter(minute: datetime, *, queue_name: str = "default", writer: int = 1, completed: int = 1) -> None:
    seconds = histogram.empty()
    for _ in range(completed):
        histogram.add(seconds, 0.2)
    counts = {"enqueued": completed, "completed": completed, "failed": 2, "dead": 3}
    histograms = {"run_histogram": seconds, "wait_histogram": seconds}
    Counter.objects.create(minute=minute, queue=queue_name, writer=writer, **counts, **histograms)


def fold(now: datetime = NOW) -> int:
    return sum(queue.fold_counters(now=now))


def minutes(count: int, *, start: datetime = LONG_AGO) -> list[datetime]:
    return [start + timedelta(minutes=number) for number in range(count)]


def test_it_makes_one_row_of_ten_minutes_and_all_writers():
    for minute in minutes(10):
        for writer in (1, 2):
            make_counter(minute, writer=writer)
    make_counter(LONG_AGO + timedelta(minutes=10))
    make_counter(LONG_AGO, queue_name="mail")

    assert fold() == 22

    rows = Counter.objects.order_by("minute", "queue").values_list("minute", "queue", "writer", "completed", "dead")
    assert list(rows) == [
        (LONG_AGO, "default", FOLDED, 20, 60),
        (LONG_AGO, "mail", FOLDED, 1, 3),
        (LONG_AGO + timedelta(minutes=10), "default", FOLDED, 1, 3),
    ]


def test_it_changes_no_total():
    for number, minute in enumerate(minutes(95)):
        make_counter(minute, writer=1 + number % 3, completed=number)
    before = stats.totals(since=LONG_AGO - DAYS, now=NOW)
    steps = stats.totals_over_time(since=LONG_AGO, now=NOW, step=timedelta(minutes=30))

    fold()

    assert stats.totals(since=LONG_AGO - DAYS, now=NOW) == before
    assert stats.totals_over_time(since=LONG_AGO, now=NOW, step=timedelta(minutes=30)) == steps
    assert Counter.objects.count() == 10


def test_it_leaves_the_last_two_hours_by_the_minute():
    for minute in minutes(5, start=after(seconds=-7_200)):
        make_counter(minute)
    assert fold() == 0
    assert fold(now=after(seconds=1_200)) == 5


def test_it_has_nothing_to_do_the_second_time():
    make_counter(LONG_AGO)
    assert (fold(), fold()) == (1, 0)


def test_it_folds_again_what_came_late():
    make_counter(LONG_AGO, completed=5)
    fold()
    make_counter(LONG_AGO + timedelta(minutes=3), writer=9, completed=4)
    assert fold() == 2
    assert Counter.objects.values_list("writer", "completed").get() == (FOLDED, 9)


def test_nothing_is_added_to_minutes_that_may_be_folded():
    supervisor = 4
    known: dict[queue.CounterKey, queue.Counts] = {}
    claim = make_claim(enqueued_at=LONG_AGO)  # it waited since yesterday, as did its neighbours
    ended = queue.Recorded(claim=claim, outcome=make_outcome(finished_at=LONG_AGO), state=State.COMPLETED)
    for _ in range(2):
        known |= queue.count(recorded=[ended], claims=[claim], known=known, writer=supervisor, now=NOW)
        fold()
    row = Counter.objects.get(enqueued__gt=0)
    assert (row.minute, row.enqueued, row.completed) == (after(seconds=-3_600).replace(second=0), 2, 2)
    assert stats.totals(since=LONG_AGO - DAYS, now=NOW).completed == 2
