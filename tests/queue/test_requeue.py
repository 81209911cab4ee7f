"""Requeue: a person puts final jobs back. One at a time with an answer for each, or all at once in batches."""

import pytest

from jobs import queue
from jobs.errors import NotFound, WrongState
from jobs.models import Attempt, Job
from jobs.outcome import Advice
from jobs.queue import _people
from jobs.states import FINAL, Ending, State
from tests.clock import NOW, after
from tests.factories import make_job, make_jobs, make_outcome, make_supervisor
from tests.queue import turns
from tests.queue.racing import race

pytestmark = pytest.mark.django_db

NEVER = make_outcome(ending=Ending.FAILED, advice=Advice.NEVER)


def _states() -> dict[str, str]:
    return dict(Job.objects.values_list("pk", "state"))


@pytest.mark.parametrize("state", sorted(FINAL))
def test_it_puts_a_final_job_back_with_all_its_attempts_ahead(state: State):
    make_job(state=state, attempts=4, fence=6, postponements=3, cancel_requested_at=NOW, run_at=after(seconds=-9))
    report = queue.requeue(["job1"], now=after(seconds=60))
    assert (report.changed, report.refused) == (["job1"], {})
    job = Job.objects.get()
    assert (job.state, job.attempts, job.postponements, job.fence) == (State.PENDING, 0, 0, 6)
    assert (job.run_at, job.finished_at, job.cancel_requested_at) == (after(seconds=60), None, None)


@pytest.mark.parametrize("state", sorted(set(State) - FINAL))
def test_it_refuses_a_job_that_is_not_final(state: State):
    make_job(state=state)
    before = Job.objects.values().get()
    report = queue.requeue(["job1"], now=after(seconds=60))
    assert isinstance(report.refused["job1"], WrongState)
    assert str(report.refused["job1"]).startswith(f"job1 is {state};")
    assert Job.objects.values().get() == before


@pytest.mark.parametrize("state", sorted(set(State) - {State.DEAD}))
def test_it_retries_from_the_dead_letter_queue_only_what_is_in_it(state: State):
    make_job(id="dead", state=State.DEAD)
    make_job(id="other", state=state)
    report = queue.retry_dead(["dead", "other"], now=NOW)
    assert report.changed == ["dead"]
    assert isinstance(report.refused["other"], WrongState)
    assert _states() == {"dead": State.PENDING, "other": state}


@pytest.mark.parametrize("verb", [queue.requeue, queue.retry_dead])
def test_it_says_that_there_is_no_such_job(verb):
    report = verb(["nobody", "\x1b[31m"], now=NOW)
    assert report.changed == []
    assert all(isinstance(refusal, NotFound) for refusal in report.refused.values())
    assert "\x1b" not in str(report.refused["\x1b[31m"])


def test_it_answers_for_each_job_and_once_for_one_that_was_named_twice():
    make_jobs({"id": id_, "state": State.DEAD} for id_ in ("b", "a"))
    make_job(id="c")
    report = queue.requeue(["b", "c", "a", "b", "d"], now=NOW)
    assert report.changed == ["b", "a"]
    assert list(report.refused) == ["c", "d"]


def test_it_answers_for_each_job_of_many_that_are_done_together():
    make_jobs({"id": id_, "state": State.DEAD} for id_ in ("b", "a"))
    make_jobs([{"id": "c"}, {"id": "e", "state": State.DEAD}])
    together = queue.apply_together(queue.REQUEUE, ["b", "c", "a", "b", "d"], now=NOW)
    assert together.changed == ["b", "a"]
    one_by_one = queue.requeue(["c", "d"], now=NOW)
    assert {id_: str(why) for id_, why in together.refused.items()} == {
        id_: str(why) for id_, why in one_by_one.refused.items()
    }
    assert _states() == {"a": "pending", "b": "pending", "c": "pending", "e": "dead"}


def test_it_takes_a_few_statements_for_many_that_are_done_together(django_assert_max_num_queries):
    make_jobs({"id": f"{number}", "state": State.DEAD} for number in range(1_000))
    with django_assert_max_num_queries(5):
        report = queue.apply_together(queue.REQUEUE, [f"{number}" for number in range(1_000)], now=NOW)
    assert len(report.changed) == 1_000


def test_it_keeps_the_history_and_numbers_attempts_from_one_again():
    make_job()
    supervisor = make_supervisor()
    turns.record(turns.claim_one(supervisor), outcome=NEVER)
    queue.requeue(["job1"], now=NOW)
    turns.record(turns.claim_one(supervisor), outcome=make_outcome())
    assert list(Attempt.objects.order_by("fence").values_list("fence", "number", "outcome")) == [
        (1, 1, "failed"),
        (2, 1, "completed"),
    ]


def test_it_gives_a_requeued_job_all_its_retries_again():
    make_job(state=State.DEAD, attempts=2, fence=2, max_retries=1)
    queue.requeue(["job1"], now=NOW)
    supervisor = make_supervisor()
    states = []
    for _ in range(2):
        queue.promote(now=after(seconds=60))
        (recorded,) = turns.record(turns.claim_one(supervisor), outcome=make_outcome(ending=Ending.FAILED))
        states.append(recorded.state)
    assert states == [State.FAILED, State.DEAD]


def test_it_requeues_all_that_match_a_batch_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_people, "JOBS_PER_TRANSACTION", 3)
    make_jobs({"id": f"{number}", "state": State.DEAD} for number in range(8))
    make_job(id="mail", queue="mail", state=State.DEAD)
    make_job(id="completed", state=State.COMPLETED)
    batches = list(queue.apply_to_all(queue.RETRY_DEAD, Job.objects.filter(queue="default"), now=after(seconds=9)))
    assert batches == [3, 3, 2]
    assert Job.objects.filter(state=State.PENDING, run_at=after(seconds=9)).count() == 8
    assert _states()["mail"] == State.DEAD
    assert _states()["completed"] == State.COMPLETED


def test_it_can_be_repeated_after_it_was_killed_in_the_middle(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_people, "JOBS_PER_TRANSACTION", 3)
    make_jobs({"id": f"{number}", "state": State.DEAD} for number in range(8))
    assert next(queue.apply_to_all(queue.RETRY_DEAD, Job.objects.all(), now=NOW)) == 3
    assert Job.objects.filter(state=State.PENDING).count() == 3
    assert list(queue.apply_to_all(queue.RETRY_DEAD, Job.objects.all(), now=NOW)) == [3, 2]
    assert list(queue.apply_to_all(queue.RETRY_DEAD, Job.objects.all(), now=NOW)) == []


def test_it_does_not_run_twice_what_was_requeued_and_died_again_meanwhile(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_people, "JOBS_PER_TRANSACTION", 1)
    make_jobs({"id": id_, "state": State.DEAD} for id_ in ("a", "b"))
    batches = queue.apply_to_all(queue.RETRY_DEAD, Job.objects.all(), now=NOW)
    next(batches)
    turns.record(turns.claim_one(make_supervisor()), outcome=NEVER)
    assert list(batches) == [1]
    assert _states() == {"a": State.DEAD, "b": State.PENDING}


def test_it_leaves_alone_what_was_cancelled_while_all_were_requeued():
    make_jobs([{"id": "done", "state": State.COMPLETED}, {"id": "late", "state": State.PENDING}])
    batches = queue.apply_to_all(queue.REQUEUE, Job.objects.all(), now=NOW)
    next(batches)
    queue.cancel(["late"], now=NOW)
    assert list(batches) == []
    assert _states() == {"done": State.PENDING, "late": State.CANCELLED}


@pytest.mark.django_db(transaction=True)
def test_it_makes_one_run_of_many_requeues_at_once():
    make_job(state=State.DEAD)
    reports = race(*[lambda: queue.requeue(["job1"], now=NOW)] * 4)
    assert sorted(len(report.changed) for report in reports) == [0, 0, 0, 1]
    assert [type(refusal) for report in reports for refusal in report.refused.values()] == [WrongState] * 3
    assert turns.claim_one(make_supervisor()).fence == 2


@pytest.mark.django_db(transaction=True)
def test_it_requeues_each_job_once_when_many_are_done_together_at_once():
    make_jobs({"id": f"{number:02}", "state": State.DEAD} for number in range(20))
    ids = [f"{number:02}" for number in range(20)]
    reports = race(*[lambda: queue.apply_together(queue.RETRY_DEAD, ids, now=NOW)] * 3)
    assert sorted(id_ for report in reports for id_ in report.changed) == ids
    assert [len(report.changed) + len(report.refused) for report in reports] == [20] * 3


@pytest.mark.django_db(transaction=True)
def test_it_requeues_each_job_once_when_many_requeue_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_people, "JOBS_PER_TRANSACTION", 5)
    make_jobs({"id": f"{number:02}", "state": State.DEAD} for number in range(20))
    changed = race(*[lambda: sum(queue.apply_to_all(queue.RETRY_DEAD, Job.objects.all(), now=NOW))] * 3)
    assert sum(changed) == 20
