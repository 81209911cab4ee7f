"""Run now: a person does not let a job wait for its time."""

from datetime import timedelta
from functools import partial

import pytest

from jobs import queue
from jobs.database import atomic
from jobs.errors import NotFound, WrongState
from jobs.models import Job
from jobs.queue import _people
from jobs.states import DEFERRED, Ending, State
from tests.clock import DAY_SECONDS, NOW, after
from tests.factories import make_job, make_jobs, make_outcome, make_supervisor
from tests.queue import turns
from tests.queue.racing import race

pytestmark = pytest.mark.django_db

TOMORROW = after(seconds=DAY_SECONDS)


@pytest.mark.parametrize("state", sorted(DEFERRED))
def test_it_makes_a_job_due_and_changes_nothing_else(state: State):
    make_job(state=state, run_at=TOMORROW, max_retries=5)
    before = Job.objects.values().get()
    report = queue.run_now(["job1"], now=after(seconds=9))
    assert (report.changed, report.refused) == (["job1"], {})
    assert Job.objects.values().get() == before | {"state": State.PENDING, "run_at": after(seconds=9)}


def test_it_keeps_the_place_in_line_of_a_job_that_is_due_already():
    make_job(state=State.SCHEDULED, run_at=NOW)
    queue.run_now(["job1"], now=after(seconds=9))
    assert Job.objects.get().run_at == NOW


@pytest.mark.parametrize("state", sorted(set(State) - DEFERRED))
def test_it_refuses_a_job_that_waits_for_no_time(state: State):
    make_job(state=state)
    before = Job.objects.values().get()
    report = queue.run_now(["job1", "nobody"], now=after(seconds=9))
    assert isinstance(report.refused["job1"], WrongState)
    assert isinstance(report.refused["nobody"], NotFound)
    assert Job.objects.values().get() == before


def test_it_leaves_a_failed_job_the_retries_it_has_left():
    make_job(max_retries=1)
    supervisor = make_supervisor()
    turns.record(turns.claim_one(supervisor), outcome=make_outcome(ending=Ending.FAILED))
    queue.run_now(["job1"], now=after(seconds=1))
    claim = turns.claim_one(supervisor, now=after(seconds=1))
    (recorded,) = turns.record(claim, outcome=make_outcome(ending=Ending.FAILED))
    assert (claim.attempt, recorded.state) == (2, State.DEAD)


def test_it_makes_all_due_that_match_a_batch_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_people, "JOBS_PER_TRANSACTION", 3)
    make_jobs({"id": f"{number}", "state": State.FAILED, "run_at": TOMORROW} for number in range(5))
    make_jobs([{"id": "mail", "queue": "mail", "state": State.FAILED}, {"id": "dead", "state": State.DEAD}])
    batches = list(queue.apply_to_all(queue.RUN_NOW, Job.objects.filter(queue="default"), now=NOW))
    assert batches == [3, 2]
    assert set(Job.objects.exclude(state=State.PENDING).values_list("pk", flat=True)) == {"mail", "dead"}


def _run_now(id_: str) -> None:
    queue.run_now([id_], now=NOW)


def _promote() -> None:
    with atomic():
        queue.promote(now=NOW)


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_run_of_a_job_that_is_promoted_at_the_same_moment():
    for number in range(10):
        make_job(id=f"{number}", state=State.SCHEDULED, run_at=NOW - timedelta(seconds=1))
        make_due = partial(_run_now, f"{number}")
        race(_promote, make_due, make_due)
        _promote()
    claims = turns.claim(make_supervisor())
    assert sorted(claim.id for claim in claims) == [f"{number}" for number in range(10)]
    assert {claim.fence for claim in claims} == {1}
