"""Cancelling: waiting jobs at once, running ones by asking; and what becomes of those that were asked."""

import pytest

from jobs import queue
from jobs.errors import NotFound, WrongState
from jobs.models import Attempt, Job
from jobs.outcome import Advice
from jobs.queue import _people
from jobs.states import FINAL, WAITING, Ending, State
from tests.clock import NOW, after
from tests.factories import make_claim, make_job, make_jobs, make_outcome, make_supervisor
from tests.queue import turns
from tests.queue.racing import interrupted, race

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", sorted(WAITING))
def test_it_cancels_a_waiting_job_at_once(state: State):
    make_job(state=state)
    report = queue.cancel(["job1"], now=after(seconds=9))
    assert (report.changed, report.refused) == (["job1"], {})
    job = Job.objects.get()
    assert (job.state, job.finished_at) == (State.CANCELLED, after(seconds=9))


@pytest.mark.parametrize("state", sorted(FINAL))
def test_it_refuses_a_final_job(state: State):
    make_job(state=state)
    before = Job.objects.values().get()
    report = queue.cancel(["job1"], now=after(seconds=9))
    assert isinstance(report.refused["job1"], WrongState)
    assert Job.objects.values().get() == before


def test_it_says_that_there_is_no_such_job():
    assert isinstance(queue.cancel(["nobody"], now=NOW).refused["nobody"], NotFound)


def test_it_asks_the_supervisor_of_a_running_job_to_stop_it():
    supervisor = make_supervisor()
    make_job(state=State.PROCESSING, supervisor=supervisor, fence=3)
    make_job(id="other", state=State.PROCESSING)
    report = queue.cancel(["job1", "other"], now=after(seconds=9))
    assert report.changed == ["job1", "other"]
    job = Job.objects.get(pk="job1")
    assert (job.state, job.cancel_requested_at, job.finished_at) == (State.PROCESSING, after(seconds=9), None)
    assert queue.cancels_asked(supervisor_id=supervisor.pk) == [("job1", 3)]


def test_it_asks_nothing_of_a_supervisor_whose_jobs_nobody_cancelled():
    supervisor = make_supervisor()
    make_job(state=State.PROCESSING, supervisor=supervisor)
    assert queue.cancels_asked(supervisor_id=supervisor.pk) == []


def _cancelled_while_running(**fields):
    make_job(**fields)
    claim = turns.claim_one(make_supervisor())
    queue.cancel(["job1"], now=after(seconds=1))
    return claim


def test_it_cancels_a_running_job_that_was_stopped():
    claim = _cancelled_while_running()
    turns.record(claim, outcome=make_outcome(ending=Ending.CANCELLED, finished_at=after(seconds=2)))
    job = Job.objects.get()
    assert (job.state, job.outcome, job.finished_at) == (State.CANCELLED, Ending.CANCELLED, after(seconds=2))
    assert Attempt.objects.get().outcome == Ending.CANCELLED


def test_it_keeps_the_success_of_a_job_that_was_faster_than_the_request():
    claim = _cancelled_while_running()
    (recorded,) = turns.record(claim, outcome=make_outcome())
    job = Job.objects.get()
    assert (recorded.state, job.state, job.outcome) == (State.COMPLETED, State.COMPLETED, Ending.COMPLETED)


@pytest.mark.parametrize(
    ("ending", "advice"),
    [
        (Ending.FAILED, Advice.RETRY),
        (Ending.FAILED, Advice.LATER),
        (Ending.FAILED, Advice.NEVER),
        (Ending.TIMED_OUT, Advice.RETRY),
        (Ending.LOST, Advice.RETRY),
        (Ending.LOST, Advice.AT_ONCE),
        (Ending.RELEASED, Advice.RETRY),
    ],
)
def test_it_cancels_what_ends_in_any_other_way_and_says_how_it_ended(ending: Ending, advice: Advice):
    claim = _cancelled_while_running()
    (recorded,) = turns.record(claim, outcome=make_outcome(ending=ending, advice=advice))
    job = Job.objects.get()
    assert (recorded.state, job.state, job.outcome) == (State.CANCELLED, State.CANCELLED, ending)
    assert (job.finished_at, job.supervisor_id) == (after(seconds=1), None)


def test_it_cancels_what_was_never_started():
    claim = _cancelled_while_running()
    turns.record(claim, outcome=None, now=after(seconds=3))
    job = Job.objects.get()
    assert (job.state, job.finished_at, job.attempts) == (State.CANCELLED, after(seconds=3), 0)


def test_it_may_be_asked_twice():
    claim = _cancelled_while_running()
    assert queue.cancel(["job1"], now=after(seconds=9)).changed == ["job1"]
    turns.record(claim, outcome=make_outcome(ending=Ending.CANCELLED))
    assert Job.objects.get().state == State.CANCELLED


def test_it_forgets_the_request_when_the_job_is_requeued():
    claim = _cancelled_while_running()
    turns.record(claim, outcome=make_outcome(ending=Ending.CANCELLED))
    queue.requeue(["job1"], now=NOW)
    supervisor = make_supervisor()
    (recorded,) = turns.record(turns.claim_one(supervisor), outcome=make_outcome(ending=Ending.FAILED))
    assert queue.cancels_asked(supervisor_id=supervisor.pk) == []
    assert recorded.state is State.FAILED


def test_it_cancels_all_that_match_a_batch_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_people, "JOBS_PER_TRANSACTION", 3)
    states = [State.PENDING, State.SCHEDULED, State.FAILED, State.PROCESSING, State.COMPLETED, State.DEAD]
    make_jobs({"id": state.value, "state": state} for state in states)
    make_job(id="mail", queue="mail")
    assert list(queue.apply_to_all(queue.CANCEL, Job.objects.filter(queue="default"), now=NOW)) == [3, 1]
    assert set(Job.objects.filter(state=State.CANCELLED).values_list("pk", flat=True)) == {
        "pending",
        "scheduled",
        "failed",
    }
    assert Job.objects.get(pk="processing").cancel_requested_at == NOW


def test_it_does_not_claim_what_was_cancelled():
    make_job()
    queue.cancel(["job1"], now=NOW)
    assert turns.claim(make_supervisor()) == []


@pytest.mark.django_db(transaction=True)
def test_it_either_prevents_a_run_or_asks_to_stop_it():
    supervisor = make_supervisor()
    make_jobs({"id": f"{number:02}"} for number in range(20))
    ids = [f"{number:02}" for number in range(20)]

    def claim_all() -> list[str]:
        return [claim.id for _ in range(10) for claim in turns.claim(supervisor, limit=2)]

    claimed, _, _ = race(
        claim_all,
        lambda: queue.cancel(ids, now=NOW).changed,
        lambda: queue.cancel(ids[::-1], now=NOW).changed,
    )
    assert set(claimed) == set(Job.objects.filter(fence=1).values_list("pk", flat=True))
    asked = set(Job.objects.filter(state=State.PROCESSING, cancel_requested_at=NOW).values_list("pk", flat=True))
    cancelled = set(Job.objects.filter(state=State.CANCELLED, fence=0).values_list("pk", flat=True))
    assert asked == set(claimed)
    assert cancelled == set(ids) - set(claimed)


@pytest.fixture
def running() -> Job:
    return make_job(state=State.PROCESSING)


def _fail(job: Job) -> None:
    turns.record(make_claim(job=job), outcome=make_outcome(ending=Ending.FAILED))


ASK = "UPDATE"


@pytest.mark.django_db(transaction=True)
def test_it_cancels_a_job_that_fails_at_that_moment(running: Job):
    with interrupted(before=ASK, by=lambda: _fail(running)):
        report = queue.cancel(["job1"], now=NOW)
    assert report.changed == ["job1"]
    job = Job.objects.get()
    assert (job.state, job.outcome) == (State.CANCELLED, Ending.FAILED)


@pytest.mark.django_db(transaction=True)
def test_it_cancels_all_even_those_that_fail_at_that_moment(running: Job):
    with interrupted(before=ASK, by=lambda: _fail(running)):
        list(queue.apply_to_all(queue.CANCEL, Job.objects.all(), now=NOW))
    job = Job.objects.get()
    assert (job.state, job.outcome) == (State.CANCELLED, Ending.FAILED)
