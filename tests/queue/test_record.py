"""Recording how attempts ended: the job's next state, and its history."""

import logging
from typing import Any

import pytest

from jobs import queue, retry
from jobs.models import Attempt, Job
from jobs.outcome import Advice, Output
from jobs.states import Ending, State
from tests.clock import NOW, after
from tests.factories import make_job, make_jobs, make_outcome, make_supervisor
from tests.queue import turns

pytestmark = pytest.mark.django_db


def _run(*, outcome, now=NOW) -> Job:
    """Let the only job make one attempt with that outcome, and be promoted if it is to be retried."""
    queue.promote(now=now)
    turns.record(turns.claim_one(make_supervisor(), now=now), outcome=outcome, now=now)
    return Job.objects.get()


def _run_to_the_end(*, outcome, attempts_max: int = 50) -> list[str]:
    """Let the only job fail until it is final; return the states it went through."""
    states = []
    for _ in range(attempts_max):
        states.append(_run(outcome=outcome, now=after(seconds=86_400 * 365)).state)
        if states[-1] != State.FAILED:
            break
    return states


def test_it_completes_a_job():
    make_job()
    job = _run(outcome=make_outcome(started_at=after(seconds=2), finished_at=after(seconds=5)))
    assert (job.state, job.outcome, job.exit_code, job.error) == (State.COMPLETED, Ending.COMPLETED, 0, None)
    assert (job.started_at, job.finished_at) == (after(seconds=2), after(seconds=5))
    assert (job.supervisor_id, job.attempts, job.fence) == (None, 1, 1)


def test_it_writes_the_whole_story_of_an_attempt():
    make_job()
    output = Output(head="first", tail="last", dropped_bytes=7)
    story: dict[str, Any] = {
        "exit_code": 3,
        "error": "exit code 3",
        "traceback": "Traceback …",
        "pid": 99,
        "run_seconds": 0.25,
    }
    outcome = make_outcome(ending=Ending.TIMED_OUT, output=output, **story)
    turns.record(turns.claim_one(make_supervisor()), outcome=outcome, host="host9")
    attempt = Attempt.objects.get()
    assert {name: getattr(attempt, name) for name in story} == story
    assert (attempt.job_id, attempt.number, attempt.fence, attempt.host) == ("job1", 1, 1, "host9")
    assert (attempt.outcome, attempt.started_at, attempt.finished_at) == (Ending.TIMED_OUT, NOW, after(seconds=1))
    assert (attempt.output_head, attempt.output_tail, attempt.output_dropped_bytes) == ("first", "last", 7)


def test_it_completes_the_row_of_an_attempt_that_was_shown_while_it_ran():
    make_job()
    claim = turns.claim_one(make_supervisor())
    queue.note_running(claim, pid=1, started_at=NOW, output=Output(head="so far"), host="host1")
    turns.record(claim, outcome=make_outcome(output=Output(head="all")))
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.output_head) == (Ending.COMPLETED, "all")


@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.TIMED_OUT, Ending.LOST])
def test_it_retries_a_failure_after_the_backoff(ending: Ending):
    make_job(attempts=2, fence=2)
    job = _run(outcome=make_outcome(ending=ending, finished_at=after(seconds=10)))
    assert (job.state, job.run_at, job.finished_at) == (State.FAILED, after(seconds=18), None)
    assert (job.outcome, job.exit_code, job.error, job.attempts) == (ending, 1, "exit code 1", 3)


def test_it_gives_jitter_the_number_it_was_given():
    queue.set_knob("jitter", 1, now=NOW, by="tests")
    make_job()
    claim = turns.claim_one(make_supervisor())
    ended = [queue.Ended(claim=claim, outcome=make_outcome(ending=Ending.FAILED, finished_at=NOW))]
    queue.record(ended, policies=queue.load_policies(now=NOW), host="h", now=NOW, chance=lambda: 0.5)
    assert Job.objects.get().run_at == after(seconds=3)


def test_it_sends_a_job_to_the_dead_letter_queue_when_its_attempts_are_spent():
    make_job()
    assert _run_to_the_end(outcome=make_outcome(ending=Ending.FAILED)) == ["failed", "failed", "failed", "dead"]
    job = Job.objects.get()
    assert (job.attempts, job.finished_at, job.error) == (4, after(seconds=1), "exit code 1")
    assert list(job.attempt_set.order_by("number").values_list("number", "fence")) == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_it_sends_a_job_that_must_never_be_retried_there_at_once():
    make_job()
    job = _run(outcome=make_outcome(ending=Ending.FAILED, advice=Advice.NEVER, exit_code=100))
    assert (job.state, job.attempts, job.exit_code) == (State.DEAD, 1, 100)


@pytest.mark.parametrize(
    ("own", "of_queue", "of_all", "attempts"),
    [
        (None, None, None, 4),
        (None, None, 1, 2),
        (None, 0, 1, 1),
        (2, 0, 1, 3),
        (0, 5, 5, 1),
    ],
)
def test_it_uses_the_retries_of_the_job_then_of_its_queue_then_of_the_defaults(
    own: int | None, of_queue: int | None, of_all: int | None, attempts: int
):
    for value, name in ((of_queue, "default"), (of_all, None)):
        if value is not None:
            queue.set_knob("max_retries", value, queue=name, now=NOW, by="tests")
    queue.set_knob("max_retries", 9, queue="another", now=NOW, by="tests")
    make_job(max_retries=own)
    assert len(_run_to_the_end(outcome=make_outcome(ending=Ending.FAILED))) == attempts


def test_it_applies_changed_settings_to_a_job_that_waits_for_its_retry():
    make_job()
    _run(outcome=make_outcome(ending=Ending.FAILED))
    queue.set_knob("max_retries", 1, now=NOW, by="tests")
    assert _run_to_the_end(outcome=make_outcome(ending=Ending.FAILED)) == ["dead"]


def test_it_applies_settings_that_were_changed_while_the_job_ran():
    make_job()
    claim = turns.claim_one(make_supervisor())
    queue.set_knob("backoff_base", 10, now=NOW, by="tests")
    turns.record(claim, outcome=make_outcome(ending=Ending.FAILED, finished_at=NOW))
    assert Job.objects.get().run_at == after(seconds=10)


def test_it_postpones_at_no_charge():
    make_job(max_retries=0)
    job = _run(outcome=make_outcome(ending=Ending.FAILED, advice=Advice.LATER, exit_code=75, finished_at=NOW))
    assert (job.state, job.run_at, job.attempts, job.postponements) == (State.FAILED, after(seconds=2), 0, 1)
    assert Attempt.objects.get().exit_code == 75


def test_it_does_not_postpone_without_end():
    make_job(max_retries=1)
    states = _run_to_the_end(outcome=make_outcome(ending=Ending.FAILED, advice=Advice.LATER))
    assert states == [*["failed"] * (retry.POSTPONEMENTS_MAX + 1), "dead"]
    job = Job.objects.get()
    assert (job.attempts, job.postponements) == (2, retry.POSTPONEMENTS_MAX)


def test_it_records_many_ends_in_one_go():
    make_jobs({"id": f"{number:03}"} for number in range(300))
    claims = turns.claim(make_supervisor())
    good, bad, given_back = claims[:100], claims[100:200], claims[200:]
    ended = [queue.Ended(claim=each, outcome=make_outcome()) for each in good]
    ended += [queue.Ended(claim=each, outcome=make_outcome(ending=Ending.FAILED)) for each in bad]
    ended += [queue.Ended(claim=each, outcome=None) for each in given_back]
    recorded = queue.record(ended, policies=queue.load_policies(now=NOW), host="h", now=NOW, chance=lambda: 0.0)
    assert [item.claim for item in recorded] == claims
    assert [item.state for item in recorded] == [State.COMPLETED] * 100 + [State.FAILED] * 100 + [State.PENDING] * 100
    assert (
        Job.objects.filter(state=State.COMPLETED).count() == Attempt.objects.filter(outcome="completed").count() == 100
    )
    assert not Attempt.objects.filter(job__in=[claim.id for claim in given_back]).exists()


def test_it_records_nothing_when_nothing_ended():
    assert turns.record(outcome=make_outcome()) == []


@pytest.mark.parametrize("text", ["", "é … 漢字 🎉", "quotes \" ' \\", "\x1b[31m", "x" * 100_000])
def test_it_stores_any_text_whole(text: str):
    make_job()
    outcome = make_outcome(ending=Ending.FAILED, error=text, traceback=text, output=Output(head=text, tail=text))
    job = _run(outcome=outcome)
    attempt = Attempt.objects.get()
    assert [job.error, attempt.error, attempt.traceback, attempt.output_head, attempt.output_tail] == [text] * 5


@pytest.mark.parametrize(("text", "stored"), [("a\0b", "a␀b"), ("a\ud800b", "a?b")])
def test_it_shows_what_no_database_can_hold(text: str, stored: str):
    make_job()
    outcome = make_outcome(ending=Ending.FAILED, error=text, traceback=text, output=Output(head=text, tail=text))
    job = _run(outcome=outcome)
    attempt = Attempt.objects.get()
    assert [job.error, attempt.error, attempt.traceback, attempt.output_head, attempt.output_tail] == [stored] * 5


def test_it_says_in_the_log_how_jobs_ended(caplog: pytest.LogCaptureFixture):
    make_jobs({"id": id_} for id_ in ("a", "b", "c", "d"))
    a, b, c, d = turns.claim(make_supervisor())
    recorded = turns.record(a, outcome=make_outcome())
    recorded += turns.record(b, outcome=make_outcome(ending=Ending.FAILED, error="exit code 1"))
    recorded += turns.record(c, outcome=make_outcome(ending=Ending.FAILED, advice=Advice.NEVER, error="exit code 100"))
    recorded += turns.record(d, outcome=None)
    with caplog.at_level(logging.INFO, logger="jobs.queue"):
        queue.log(recorded)
    assert [(line.levelname, line.getMessage().strip()) for line in caplog.records] == [
        ("INFO", "job completed id=a queue=default attempt=1 seconds=1.000"),
        ("WARNING", "job failed id=b queue=default attempt=1 seconds=1.000 exit code 1"),
        ("ERROR", "job dead id=c queue=default attempt=1 seconds=1.000 exit code 100"),
    ]
