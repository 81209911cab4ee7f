"""Counters: a row per minute, queue and writer, exact to the last job."""

from collections.abc import Mapping
from datetime import datetime

import pytest
from django.db.models import Sum

from jobs import histogram, queue
from jobs.models import Counter
from jobs.outcome import Advice
from jobs.queue import CounterKey, Counts
from jobs.states import Ending, State
from jobs.supervisor.desk import Desk
from jobs.supervisor.rescuing import Rescuer
from jobs.supervisor.store import Store
from tests.clock import NOW, after
from tests.factories import make_claim, make_job, make_outcome, make_supervisor
from tests.queue import turns

pytestmark = pytest.mark.django_db

MINUTE = NOW.replace(second=0)


def _count(
    *, recorded=(), claims=(), known: Mapping[CounterKey, Counts] | None = None, writer: int = 1, now=NOW
) -> dict[CounterKey, Counts]:
    return queue.count(recorded=recorded, claims=claims, known=known or {}, writer=writer, now=now)


def _recorded(*, state: State, queue_name: str = "default", finished_at: datetime = NOW, run_seconds: float = 1.0):
    outcome = make_outcome(finished_at=finished_at, run_seconds=run_seconds)
    return queue.Recorded(claim=make_claim(queue=queue_name), outcome=outcome, state=state)


def _totals(**which) -> dict[str, int]:
    names = ("enqueued", "completed", "failed", "dead")
    return Counter.objects.filter(**which).aggregate(**{name: Sum(name, default=0) for name in names})


def test_it_counts_ends_in_the_minute_in_which_they_happened():
    recorded = [
        _recorded(state=State.COMPLETED),
        _recorded(state=State.COMPLETED, finished_at=after(seconds=54.9)),
        _recorded(state=State.COMPLETED, finished_at=after(seconds=55)),
        _recorded(state=State.FAILED),
        _recorded(state=State.DEAD),
        _recorded(state=State.DEAD, queue_name="mail"),
    ]
    _count(recorded=recorded)
    assert _totals(minute=MINUTE, queue="default") == {"enqueued": 0, "completed": 2, "failed": 1, "dead": 1}
    assert _totals(minute=after(seconds=55), queue="default")["completed"] == 1
    assert _totals(minute=MINUTE, queue="mail")["dead"] == 1
    assert Counter.objects.count() == 3


def test_it_counts_a_job_as_enqueued_when_it_is_claimed_for_the_first_time():
    claims = [make_claim(fence=1, enqueued_at=after(seconds=-120)), make_claim(fence=2, attempt=1), make_claim(fence=3)]
    _count(claims=claims)
    assert _totals(minute=after(seconds=-125))["enqueued"] == 1
    assert _totals()["enqueued"] == 1


def test_it_counts_how_long_jobs_ran_and_waited():
    claims = [make_claim(run_at=after(seconds=-9)), make_claim(run_at=after(seconds=5))]
    recorded = [_recorded(state=State.COMPLETED, run_seconds=0.2), _recorded(state=State.DEAD, run_seconds=50)]
    _count(claims=claims, recorded=recorded)
    row = Counter.objects.get()
    wanted_run, wanted_wait = histogram.empty(), histogram.empty()
    for seconds in (0.2, 50):
        histogram.add(wanted_run, seconds)
    for seconds in (9, 0):
        histogram.add(wanted_wait, seconds)
    assert (row.run_histogram, row.wait_histogram) == (wanted_run, wanted_wait)


def test_it_counts_no_end_of_what_was_given_back_or_cancelled():
    given_back = queue.Recorded(claim=make_claim(), outcome=None, state=State.PENDING)
    _count(recorded=[given_back, _recorded(state=State.CANCELLED), _recorded(state=State.PENDING)])
    assert _totals() == {"enqueued": 0, "completed": 0, "failed": 0, "dead": 0}


def test_it_stores_nothing_when_nothing_happened(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert _count() == {}


def test_it_adds_to_what_it_knows_and_does_not_touch_it():
    known = _count(recorded=[_recorded(state=State.COMPLETED)])
    changed = _count(recorded=[_recorded(state=State.COMPLETED)], known=known)
    key = (MINUTE, "default")
    assert (known[key].completed, changed[key].completed) == (1, 2)
    assert (sum(known[key].run_histogram), sum(changed[key].run_histogram)) == (1, 2)
    assert _totals()["completed"] == 2


def test_it_adds_to_what_is_stored_when_it_does_not_know():
    for _ in range(3):
        _count(recorded=[_recorded(state=State.COMPLETED)])
    row = Counter.objects.get()
    assert (row.completed, sum(row.run_histogram)) == (3, 3)


def test_it_returns_only_the_minutes_that_changed():
    known = _count(recorded=[_recorded(state=State.COMPLETED)])
    assert list(_count(recorded=[_recorded(state=State.DEAD, queue_name="mail")], known=known)) == [(MINUTE, "mail")]


def test_it_keeps_writers_apart():
    for writer in (1, 2):
        _count(recorded=[_recorded(state=State.COMPLETED)], writer=writer)
    assert sorted(Counter.objects.values_list("writer", "completed")) == [(1, 1), (2, 1)]


def _turn(supervisor, outcome) -> None:
    """Promote, claim all, record all, and count, as a supervisor does."""
    queue.promote(now=after(seconds=10_000))
    claims = turns.claim(supervisor)
    recorded = turns.record(*claims, outcome=outcome)
    _count(claims=claims, recorded=recorded, writer=supervisor.pk)


def test_it_counts_exactly_what_happened_to_a_job():
    make_job(max_retries=1)
    supervisor = make_supervisor()
    _turn(supervisor, make_outcome(ending=Ending.FAILED))
    _turn(supervisor, None)
    _turn(supervisor, make_outcome(ending=Ending.RELEASED))
    _turn(supervisor, make_outcome(ending=Ending.FAILED, advice=Advice.LATER))
    _turn(supervisor, make_outcome(ending=Ending.FAILED))
    queue.requeue(["job1"], now=NOW)
    _turn(supervisor, make_outcome())
    assert _totals() == {"enqueued": 1, "completed": 1, "failed": 2, "dead": 1}


def test_it_does_not_count_an_end_that_was_dropped():
    make_job()
    supervisor = make_supervisor()
    claims = turns.claim(supervisor)
    for _ in range(2):
        _count(recorded=turns.record(*claims, outcome=make_outcome()), writer=supervisor.pk)
    assert _totals()["completed"] == 1


def test_it_counts_anew_under_a_new_name():
    # A supervisor that lost its lease comes back as another writer: what the old one counted is in the old one's row.
    description = {"lease_seconds": 60.0, "worker_count": 1, "thread_count": 1, "pid": 1}
    store = Store(desk=Desk(), description=description, queues=None)
    store.register()
    store._counts = _count(recorded=[_recorded(state=State.COMPLETED)], writer=store._id)
    store.register()
    _count(recorded=[_recorded(state=State.COMPLETED)], known=store._counts, writer=store._id)
    assert _totals()["completed"] == 2


def test_it_counts_what_is_rescued():
    make_job(id="a", max_retries=0)
    make_job(id="b", max_retries=1)
    lost, sweeping = make_supervisor(), make_supervisor()
    turns.claim(lost)
    queue.mark_lost(supervisor_id=lost.pk, beats=0, now=NOW)
    assert Rescuer(sweeping.pk).rescue(now=NOW) == 2
    assert _totals() == {"enqueued": 0, "completed": 0, "failed": 1, "dead": 1}
