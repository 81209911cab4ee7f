"""Rescue: taking back the jobs of a supervisor that died."""

import pytest
from django.db import connection

from jobs import queue
from jobs.models import Attempt, Job, Supervisor
from jobs.outcome import Output
from jobs.queue import _rescue
from jobs.states import Ending, State
from tests.clock import NOW, after
from tests.factories import make_claim, make_job, make_jobs, make_outcome, make_supervisor
from tests.queue import turns
from tests.queue.racing import interrupted, race

pytestmark = pytest.mark.django_db


def _die(supervisor: Supervisor) -> Supervisor:
    assert queue.mark_lost(supervisor_id=supervisor.pk, beats=supervisor.beats, now=NOW)
    return supervisor


@pytest.fixture
def dead() -> Supervisor:
    """A dead supervisor that holds `job1` in its first attempt."""
    make_job(max_retries=1)
    supervisor = make_supervisor(host="host9", pid=99)
    turns.claim(supervisor)
    return _die(supervisor)


def test_it_takes_back_a_job_whose_next_attempt_may_start_at_once(dead: Supervisor):
    (recorded,) = queue.rescue(supervisor=dead, now=after(seconds=5))
    assert (recorded.claim.id, recorded.state) == ("job1", State.FAILED)
    job = Job.objects.get()
    assert (job.state, job.run_at, job.supervisor_id) == (State.FAILED, after(seconds=5), None)
    assert (job.attempts, job.outcome, job.error) == (1, Ending.LOST, "its supervisor (host9:99) died")
    assert queue.promote(now=after(seconds=5)) == 1


def test_it_writes_the_lost_attempt_into_the_history(dead: Supervisor):
    queue.rescue(supervisor=dead, now=after(seconds=5))
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.fence, attempt.host, attempt.outcome) == (1, 1, "host9", Ending.LOST)
    assert (attempt.started_at, attempt.finished_at, attempt.run_seconds) == (NOW, after(seconds=5), 5.0)


def test_it_keeps_what_is_known_of_a_lost_attempt(dead: Supervisor):
    claim = make_claim(job=Job.objects.get())
    printed = Output(head="the last words", tail="of a job", dropped_bytes=3)
    queue.note_running(claim, pid=1234, started_at=after(seconds=1), output=printed, host="host9")
    queue.rescue(supervisor=dead, now=after(seconds=5))
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.started_at, attempt.run_seconds) == (Ending.LOST, after(seconds=1), 4.0)
    assert (attempt.output_head, attempt.output_tail, attempt.output_dropped_bytes) == ("the last words", "of a job", 3)
    assert attempt.pid == 1234


def test_it_sends_a_job_that_takes_its_supervisors_down_to_the_dead_letter_queue(dead: Supervisor):
    queue.rescue(supervisor=dead, now=NOW)
    queue.promote(now=NOW)
    another = make_supervisor()
    turns.claim(another)
    queue.rescue(supervisor=_die(another), now=after(seconds=5))
    job = Job.objects.get()
    assert (job.state, job.attempts, job.finished_at) == (State.DEAD, 2, after(seconds=5))
    assert job.error == "its supervisor (host1:4000) died"


def test_it_cancels_what_a_person_had_cancelled(dead: Supervisor):
    queue.cancel(["job1"], now=NOW)
    (recorded,) = queue.rescue(supervisor=dead, now=after(seconds=5))
    job = Job.objects.get()
    assert recorded.state is State.CANCELLED
    assert (job.state, job.finished_at) == (State.CANCELLED, after(seconds=5))


def test_it_looks_up_the_retries_that_hold_now():
    queue.set_knob("max_retries", 0, now=NOW, by="tests")
    make_job()
    supervisor = make_supervisor()
    turns.claim(supervisor)
    queue.rescue(supervisor=_die(supervisor), now=NOW)
    assert Job.objects.get().state == State.DEAD


def test_it_leaves_what_others_hold(dead: Supervisor):
    make_job(id="other", state=State.PROCESSING)
    before = Job.objects.filter(pk="other").values().get()
    queue.rescue(supervisor=dead, now=NOW)
    assert Job.objects.filter(pk="other").values().get() == before


def test_it_finds_nothing_to_take_back_twice(dead: Supervisor):
    queue.rescue(supervisor=dead, now=NOW)
    assert queue.rescue(supervisor=dead, now=NOW) == []


def test_it_takes_back_more_than_one_transaction_holds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_rescue, "RESCUED_PER_TRANSACTION", 2)
    make_jobs({"id": id_} for id_ in "abcde")
    supervisor = make_supervisor()
    turns.claim(supervisor)
    recorded = queue.rescue(supervisor=_die(supervisor), now=NOW)
    assert [item.claim.id for item in recorded] == list("abcde")
    assert not Job.objects.filter(state=State.PROCESSING).exists()


def test_it_leaves_the_rest_to_the_next_one_when_the_rescuer_dies(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_rescue, "RESCUED_PER_TRANSACTION", 2)
    make_jobs({"id": id_} for id_ in "abc")
    supervisor = make_supervisor()
    turns.claim(supervisor)
    _die(supervisor)

    _rescue._rescue_batch(supervisor, NOW)

    assert queue.gone_with_jobs() == [supervisor]
    assert [item.claim.id for item in queue.rescue(supervisor=supervisor, now=NOW)] == ["c"]
    assert queue.gone_with_jobs() == []


def test_it_knows_the_lost_supervisors_that_hold_jobs(dead: Supervisor):
    make_jobs({"id": id_, "state": State.PROCESSING, "supervisor": dead} for id_ in ("job2", "job3"))
    make_supervisor(lost_at=NOW)
    make_job(id="alive", state=State.PROCESSING)
    assert queue.gone_with_jobs() == [dead]


def test_it_refuses_the_end_that_a_dead_supervisor_brings_late(dead: Supervisor):
    claim = make_claim(job=Job.objects.get())
    queue.rescue(supervisor=dead, now=NOW)
    assert turns.record(claim, outcome=make_outcome()) == []


@pytest.mark.django_db(transaction=True)
def test_it_lets_one_of_many_rescuers_take_each_job_back():
    make_jobs({"id": f"{number:02}"} for number in range(20))
    supervisor = make_supervisor()
    turns.claim(supervisor)
    _die(supervisor)

    rescued = race(*[lambda: queue.rescue(supervisor=supervisor, now=NOW)] * 3)

    assert sum(len(each) for each in rescued) == 20
    assert Attempt.objects.count() == 20
    assert set(Job.objects.values_list("state", "attempts")) == {(State.FAILED, 1)}


@pytest.mark.django_db(transaction=True)
def test_it_has_the_whole_of_what_a_supervisor_that_woke_tells_meanwhile_or_nothing(dead: Supervisor):
    claim = make_claim(job=Job.objects.get())

    def tell() -> None:
        queue.note_running(claim, pid=1234, started_at=after(seconds=1), output=Output(), host="host9")

    quote = connection.ops.quote_name("jobs_attempt")
    with interrupted(before=f"SELECT {quote}", by=tell):
        queue.rescue(supervisor=dead, now=after(seconds=5))
    attempt = Attempt.objects.get()
    assert (attempt.pid, attempt.started_at) in [(None, NOW), (1234, after(seconds=1))]
