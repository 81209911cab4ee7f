"""Claiming: which jobs, in which order, for whom, and what a claim says."""

from typing import Any

import pytest
from django.db import transaction

from jobs import queue
from jobs.models import Attempt, Job
from jobs.outcome import Output
from jobs.states import Ending, Kind, State
from tests.clock import NOW, after
from tests.factories import make_job, make_jobs, make_new_job, make_supervisor
from tests.queue import turns
from tests.queue.racing import race

pytestmark = pytest.mark.django_db


def _claimed_ids(**options: Any) -> list[str]:
    return [claim.id for claim in turns.claim(make_supervisor(), **options)]


def test_it_claims_nothing_where_nothing_waits():
    assert _claimed_ids() == []


@pytest.mark.parametrize("state", sorted(set(State) - {State.PENDING}))
def test_it_claims_only_pending_jobs(state: State):
    make_job(state=state, run_at=NOW)
    assert _claimed_ids() == []


def test_it_marks_a_job_as_held():
    supervisor = make_supervisor()
    make_job(outcome=Ending.FAILED, exit_code=3, error="before", attempts=2, fence=5, started_at=after(seconds=-9))
    turns.claim(supervisor)
    job = Job.objects.get()
    assert (job.state, job.supervisor, job.claimed_at) == (State.PROCESSING, supervisor, NOW)
    assert (job.attempts, job.fence, job.started_at) == (3, 6, None)
    assert (job.outcome, job.exit_code, job.error) == (Ending.FAILED, 3, "before")


def test_it_hands_out_all_that_a_shell_job_needs():
    what = {"command": "echo é", "uses_shell": False, "cwd": "/tmp", "env": {"Ä": "ö"}}
    job = queue.enqueue(make_new_job(id="job1", queue="mail", max_retries=0, **what), now=after(seconds=-9))
    (claim,) = turns.claim(make_supervisor())
    assert {name: getattr(claim, name) for name in what} == what
    assert (claim.id, claim.fence, claim.attempt, claim.kind, claim.queue) == ("job1", 1, 1, Kind.SHELL, "mail")
    assert (claim.signature, claim.max_retries, claim.postponements) == (job.signature, 0, 0)
    assert (claim.enqueued_at, claim.run_at, claim.claimed_at) == (after(seconds=-9), after(seconds=-9), NOW)


def test_it_hands_out_all_that_a_task_needs():
    make_job(kind=Kind.TASK, task="app.tasks.send", args=[1, "é", None], kwargs={"deep": {"er": [True]}})
    (claim,) = turns.claim(make_supervisor())
    assert (claim.kind, claim.task) == (Kind.TASK, "app.tasks.send")
    assert (claim.args, claim.kwargs) == ([1, "é", None], {"deep": {"er": [True]}})
    assert (claim.command, claim.env) == (None, None)


def test_it_claims_no_more_than_it_was_asked_for():
    for id_ in "abc":
        make_job(id=id_)
    assert _claimed_ids(limit=2) == ["a", "b"]
    assert _claimed_ids(limit=2) == ["c"]


@pytest.mark.parametrize("limit", [0, -1])
def test_it_claims_nothing_when_there_is_no_room(limit: int):
    make_job()
    assert _claimed_ids(limit=limit) == []


def test_it_claims_the_larger_priority_first():
    for id_, priority in (("low", -100), ("middle", 0), ("high", 100)):
        make_job(id=id_, priority=priority)
    assert _claimed_ids() == ["high", "middle", "low"]


def test_it_claims_the_one_that_waits_longer_first():
    make_job(id="a", run_at=after(seconds=0))
    make_job(id="b", run_at=after(seconds=-0.000_001))
    make_job(id="c", run_at=after(seconds=-1))
    assert _claimed_ids() == ["c", "b", "a"]


def test_it_prefers_priority_to_age_and_age_to_name():
    make_job(id="a", run_at=after(seconds=-9))
    make_job(id="b", priority=1)
    make_job(id="c", priority=1, run_at=after(seconds=-1))
    make_job(id="d", run_at=after(seconds=-9))
    assert _claimed_ids(limit=3) == ["c", "b", "a"]


def test_it_claims_from_all_queues_in_one_order():
    make_job(id="a", queue="mail", run_at=after(seconds=-1))
    make_job(id="b", queue="images", run_at=after(seconds=-3))
    make_job(id="c", queue="reports", run_at=after(seconds=-2))
    make_job(id="d", queue="mail", priority=1)
    assert _claimed_ids(limit=3) == ["d", "b", "c"]


def test_it_claims_only_from_the_queues_it_was_told():
    for name in ("mail", "images", "reports"):
        make_job(id=name, queue=name)
    assert _claimed_ids(queues=("reports", "mail", "nowhere")) == ["mail", "reports"]


def test_it_takes_no_queue_for_no_queue():
    make_job()
    assert _claimed_ids(queues=()) == []


def test_it_keeps_queues_apart_whatever_they_are_called():
    names = ["mail", "Mail", "mäil", "mail'; --", "100%", "%s", "{0}", '"']
    for name in names:
        make_job(id=name, queue=name)
    assert sorted(_claimed_ids()) == sorted(names)


def test_it_leaves_the_jobs_of_a_paused_queue():
    make_job(id="a", queue="mail")
    make_job(id="b", queue="images")
    queue.pause("mail", now=NOW, reason="the provider is down", by="tests")
    assert _claimed_ids() == ["b"]
    queue.resume("mail", now=NOW, by="tests")
    assert _claimed_ids() == ["a"]


def test_it_claims_from_a_queue_whose_pause_is_over():
    make_job(queue="mail")
    queue.pause("mail", now=NOW, until=after(seconds=60), by="tests")
    assert _claimed_ids(now=after(seconds=59)) == []
    assert _claimed_ids(now=after(seconds=60)) == ["job1"]


def test_it_leaves_a_paused_queue_even_if_told_of_it():
    make_job(queue="mail")
    queue.pause("mail", now=NOW, by="tests")
    assert _claimed_ids(queues=("mail",)) == []


def test_it_claims_from_450_queues():
    make_jobs({"id": f"{number:03}", "queue": f"queue{number:03}"} for number in range(450))
    supervisor = make_supervisor()
    claimed = [claim.id for _ in range(2) for claim in turns.claim(supervisor)]
    assert sorted(claimed) == [f"{number:03}" for number in range(450)]


def test_it_claims_the_most_urgent_job_of_450_queues():
    make_jobs({"id": f"{n:03}", "queue": f"queue{n:03}", "priority": n // 5} for n in range(450))
    assert _claimed_ids(limit=1) == ["445"]


def test_it_lets_no_queue_starve_behind_450_that_are_never_empty():
    supervisor = make_supervisor()
    make_job(id="last", queue="queue999", priority=100)
    for turn in range(2):
        make_jobs({"id": f"{turn}-{number}", "queue": f"queue{number:03}"} for number in range(450))
        turns.claim(supervisor, limit=400)
    assert Job.objects.get(pk="last").state == State.PROCESSING


@pytest.mark.parametrize(("own", "limit_seconds"), [(None, 60.0), (5.0, 5.0), (0.0, None)])
def test_it_prefers_the_timeout_of_the_job_to_that_of_its_queue(own: float | None, limit_seconds: float | None):
    queue.set_knob("timeout", 60, queue="default", now=NOW, by="tests")
    make_job(timeout_seconds=own)
    assert turns.claim_one(make_supervisor()).timeout_seconds == limit_seconds


def test_it_sets_no_timeout_where_nobody_did():
    make_job()
    assert turns.claim_one(make_supervisor()).timeout_seconds is None


def test_it_knows_how_often_a_job_was_postponed():
    make_job(postponements=7)
    assert turns.claim_one(make_supervisor()).postponements == 7


def test_it_shows_an_attempt_while_it_runs():
    make_job()
    claim = turns.claim_one(make_supervisor())
    for printed in ("one", "one two"):
        output = Output(head=printed, tail="t", dropped_bytes=9)
        assert queue.note_running(claim, pid=77, started_at=after(seconds=1), output=output, host="host9")
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.fence, attempt.host, attempt.pid) == (1, 1, "host9", 77)
    assert (attempt.started_at, attempt.finished_at, attempt.outcome) == (after(seconds=1), None, None)
    assert (attempt.output_head, attempt.output_tail, attempt.output_dropped_bytes) == ("one two", "t", 9)
    assert Job.objects.get().started_at == after(seconds=1)


@pytest.mark.django_db(transaction=True)
def test_it_hands_each_job_to_one_of_many_supervisors():
    queue.enqueue_many([make_new_job(queue=f"queue{number % 3}") for number in range(60)], now=NOW)
    supervisors = [make_supervisor() for _ in range(4)]

    def claim_all(supervisor) -> list[str]:
        claimed = []
        while claims := turns.claim(supervisor, limit=4):
            claimed += [claim.id for claim in claims]
        return claimed

    claimed = race(*[lambda each=each: claim_all(each) for each in supervisors])
    assert sorted(id_ for ids in claimed for id_ in ids) == sorted(Job.objects.values_list("pk", flat=True))
    assert set(Job.objects.values_list("fence", "attempts")) == {(1, 1)}


@pytest.mark.django_db(transaction=True)
def test_it_claims_nothing_if_its_transaction_fails():
    make_job()
    supervisor = make_supervisor()
    with transaction.atomic():
        turns.claim(supervisor)
        transaction.set_rollback(True)
    job = Job.objects.get()
    assert (job.state, job.fence, job.attempts) == (State.PENDING, 0, 0)
