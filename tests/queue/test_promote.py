"""Promotion: scheduled jobs and retries become pending when they are due."""

import pytest

from jobs import queue
from jobs.models import Job
from jobs.queue import _turn
from jobs.states import State
from tests.clock import NOW, after
from tests.factories import make_job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", [State.SCHEDULED, State.FAILED])
@pytest.mark.parametrize("seconds", [0.0, -0.000_001, -86_400.0])
def test_it_promotes_what_is_due(state: State, seconds: float):
    make_job(state=state, run_at=after(seconds=seconds))
    assert queue.promote(now=NOW) == 1
    job = Job.objects.get()
    assert (job.state, job.run_at) == (State.PENDING, after(seconds=seconds))


@pytest.mark.parametrize("state", [State.SCHEDULED, State.FAILED])
def test_it_leaves_what_is_not_due(state: State):
    make_job(state=state, run_at=after(seconds=0.000_001))
    assert queue.promote(now=NOW) == 0
    assert Job.objects.get().state == state


@pytest.mark.parametrize("state", sorted(set(State) - {State.SCHEDULED, State.FAILED}))
def test_it_leaves_what_is_not_deferred(state: State):
    make_job(state=state, run_at=after(seconds=-60))
    assert queue.promote(now=NOW) == 0
    assert Job.objects.get().state == state


def test_it_keeps_what_a_failed_attempt_left():
    make_job(state=State.FAILED, attempts=2, fence=3, exit_code=7, error="exit code 7")
    queue.promote(now=NOW)
    job = Job.objects.get()
    assert (job.attempts, job.fence, job.exit_code, job.error) == (2, 3, 7, "exit code 7")


def test_it_promotes_the_longest_overdue_first_and_the_rest_in_the_next_turn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_turn, "PROMOTED_PER_TURN_MAX", 2)
    for number, id_ in enumerate("cab"):
        make_job(id=id_, state=State.SCHEDULED, run_at=after(seconds=number - 10))
    assert queue.promote(now=NOW) == 2
    assert set(Job.objects.filter(state=State.PENDING).values_list("pk", flat=True)) == {"c", "a"}
    assert queue.promote(now=NOW) == 1
    assert queue.promote(now=NOW) == 0


def test_it_knows_when_the_next_job_is_due():
    make_job(id="a", state=State.SCHEDULED, run_at=after(seconds=90))
    make_job(id="b", state=State.FAILED, run_at=after(seconds=30))
    make_job(id="c", run_at=after(seconds=-30))
    make_job(id="d", state=State.DEAD, run_at=after(seconds=10))
    assert queue.next_due_at() == after(seconds=30)


def test_it_knows_that_nothing_will_be_due():
    make_job(state=State.COMPLETED)
    assert queue.next_due_at() is None
