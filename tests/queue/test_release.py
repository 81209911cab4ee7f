"""Giving jobs back: a supervisor that stops charges nothing for what it did not finish."""

import pytest

from jobs import queue
from jobs.models import Attempt, Job
from jobs.outcome import Output
from jobs.states import Ending, State
from tests.clock import after
from tests.factories import make_job, make_outcome, make_supervisor
from tests.queue import turns

pytestmark = pytest.mark.django_db

RELEASED = make_outcome(ending=Ending.RELEASED, exit_code=None, error="released", output=Output(head="half"))


def test_it_gives_back_what_was_never_started():
    make_job(run_at=after(seconds=-5))
    turns.record(turns.claim_one(make_supervisor()), outcome=None)
    job = Job.objects.get()
    assert (job.state, job.attempts, job.fence) == (State.PENDING, 0, 1)
    assert (job.run_at, job.supervisor_id, job.finished_at) == (after(seconds=-5), None, None)
    assert not Attempt.objects.exists()


def test_it_keeps_how_the_attempt_before_it_ended():
    make_job(attempts=1, fence=1, outcome=Ending.FAILED, exit_code=9, error="exit code 9")
    turns.record(turns.claim_one(make_supervisor()), outcome=None)
    job = Job.objects.get()
    assert (job.outcome, job.exit_code, job.error, job.attempts) == (Ending.FAILED, 9, "exit code 9", 1)


def test_it_gives_back_the_attempt_of_a_run_that_was_cut_short():
    make_job(run_at=after(seconds=-5))
    turns.record(turns.claim_one(make_supervisor()), outcome=RELEASED)
    job = Job.objects.get()
    assert (job.state, job.attempts, job.fence, job.run_at) == (State.PENDING, 0, 1, after(seconds=-5))
    assert (job.outcome, job.error) == (Ending.RELEASED, "released")


def test_it_keeps_the_cut_short_run_in_the_history():
    make_job()
    turns.record(turns.claim_one(make_supervisor()), outcome=RELEASED)
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.number, attempt.output_head) == (Ending.RELEASED, 1, "half")


def test_it_runs_the_same_attempt_again():
    make_job(max_retries=0)
    supervisor = make_supervisor()
    turns.record(turns.claim_one(supervisor), outcome=RELEASED)
    claim = turns.claim_one(supervisor)
    assert (claim.attempt, claim.fence) == (1, 2)
    turns.record(claim, outcome=make_outcome())
    assert list(Attempt.objects.order_by("fence").values_list("number", "outcome")) == [
        (1, "released"),
        (1, "completed"),
    ]


def test_it_may_be_given_back_without_end():
    make_job(max_retries=0)
    supervisor = make_supervisor()
    for _ in range(10):
        turns.record(turns.claim_one(supervisor), outcome=RELEASED)
        turns.record(turns.claim_one(supervisor), outcome=None)
    job = Job.objects.get()
    assert (job.state, job.attempts, job.fence) == (State.PENDING, 0, 20)


def test_it_is_claimed_again_before_what_came_after_it():
    make_job(id="b", run_at=after(seconds=-2))
    make_job(id="a", run_at=after(seconds=-1))
    supervisor = make_supervisor()
    turns.record(*turns.claim(supervisor), outcome=RELEASED)
    assert [claim.id for claim in turns.claim(supervisor)] == ["b", "a"]


@pytest.mark.parametrize("outcome", [None, RELEASED], ids=["never started", "cut short"])
def test_it_does_not_give_back_what_a_person_cancelled(outcome):
    make_job()
    claim = turns.claim_one(make_supervisor())
    queue.cancel(["job1"], now=after(seconds=1))
    (recorded,) = turns.record(claim, outcome=outcome, now=after(seconds=2))
    assert recorded.state is State.CANCELLED
    assert Job.objects.get().finished_at is not None
