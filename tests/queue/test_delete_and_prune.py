"""Deleting: what a person names, and what is old. Neither ever takes a live job; pruning never takes a dead one."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from jobs import queue, sql
from jobs.database import connection
from jobs.errors import NotFound, WrongState
from jobs.models import Attempt, Counter, Job
from jobs.queue import _people, _prune
from jobs.states import FINAL, State
from tests.clock import DAY_SECONDS, NOW, after
from tests.factories import make_job, make_jobs, make_outcome, make_supervisor
from tests.queue import turns

pytestmark = pytest.mark.django_db


def _ids() -> set[str]:
    return set(Job.objects.values_list("pk", flat=True))


def _make_attempt(job_id: str) -> Attempt:
    return Attempt.objects.create(job_id=job_id, fence=1, number=1, host="h", started_at=NOW)


def _prune_all(*, now=NOW, older_than_seconds: float | None = None) -> list[int]:
    return list(queue.prune(policies=queue.load_policies(now=now), now=now, older_than_seconds=older_than_seconds))


@pytest.mark.parametrize("state", sorted(FINAL))
def test_it_deletes_a_final_job_with_its_history(state: State):
    make_job(state=state)
    make_job(id="other", state=state)
    for id_ in ("job1", "other"):
        _make_attempt(id_)
    report = queue.delete(["job1"], now=NOW)
    assert (report.changed, report.refused) == (["job1"], {})
    assert _ids() == {"other"}
    assert Attempt.objects.get().job_id == "other"


@pytest.mark.parametrize("state", sorted(set(State) - FINAL))
def test_it_refuses_to_delete_a_job_that_is_not_final(state: State):
    make_job(state=state)
    _make_attempt("job1")
    report = queue.delete(["job1"], now=NOW)
    assert isinstance(report.refused["job1"], WrongState)
    assert _ids() == {"job1"}
    assert Attempt.objects.exists()


@pytest.mark.parametrize("state", sorted(set(State) - {State.DEAD}))
def test_it_discards_only_dead_jobs(state: State):
    make_job(id="dead", state=State.DEAD)
    make_job(id="other", state=state)
    _make_attempt("other")
    report = queue.discard(["dead", "other"], now=NOW)
    assert report.changed == ["dead"]
    assert isinstance(report.refused["other"], WrongState)
    assert _ids() == {"other"}
    assert Attempt.objects.exists()


@pytest.mark.parametrize("verb", [queue.delete, queue.discard])
def test_it_says_that_there_is_no_such_job(verb):
    assert isinstance(verb(["nobody"], now=NOW).refused["nobody"], NotFound)


@pytest.mark.parametrize(("verb", "states"), [(queue.DELETE, FINAL), (queue.DISCARD, {State.DEAD})])
def test_it_deletes_all_that_match_and_are_in_a_state_for_it(verb: queue.Verb, states: set[State]):
    make_jobs({"id": state.value, "state": state} for state in State)
    make_jobs({"id": f"mail {state}", "state": state, "queue": "mail"} for state in State)
    for id_ in _ids():
        _make_attempt(id_)
    changed = sum(queue.apply_to_all(verb, Job.objects.filter(queue="default"), now=NOW))
    assert changed == len(states)
    assert _ids() == {state.value for state in set(State) - states} | {f"mail {state}" for state in State}
    assert set(Attempt.objects.values_list("job", flat=True)) == _ids()


def test_it_deletes_all_a_batch_at_a_time_and_may_be_repeated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_people, "JOBS_PER_TRANSACTION", 3)
    make_jobs({"id": f"{number}", "state": State.DEAD} for number in range(8))
    assert next(queue.apply_to_all(queue.DISCARD, Job.objects.all(), now=NOW)) == 3
    assert Job.objects.count() == 5
    assert list(queue.apply_to_all(queue.DISCARD, Job.objects.all(), now=NOW)) == [3, 2]


def test_it_counts_jobs_and_not_attempts():
    make_job(state=State.DEAD)
    for fence in range(1, 4):
        Attempt.objects.create(job_id="job1", fence=fence, number=fence, host="h", started_at=NOW)
    assert list(queue.apply_to_all(queue.DISCARD, Job.objects.all(), now=NOW)) == [1]


@pytest.mark.parametrize("older_than_seconds", [None, 0.0])
def test_it_never_prunes_a_live_or_a_dead_job(older_than_seconds: float | None):
    for state in State:
        make_job(id=state.value, state=state, run_at=NOW)
        _make_attempt(state.value)
    _prune_all(now=after(seconds=10_000 * DAY_SECONDS), older_than_seconds=older_than_seconds)
    assert _ids() == {state.value for state in set(State) - {State.COMPLETED, State.CANCELLED}}
    assert set(Attempt.objects.values_list("job", flat=True)) == _ids()


def test_it_prunes_what_is_older_than_its_retention_and_not_what_is_just_that_old():
    week = 7 * DAY_SECONDS
    make_job(id="old", state=State.COMPLETED, finished_at=after(seconds=-week - 1))
    make_job(id="cancelled", state=State.CANCELLED, finished_at=after(seconds=-week - 1))
    make_job(id="young", state=State.COMPLETED, finished_at=after(seconds=-week))
    assert sum(_prune_all()) == 2
    assert _ids() == {"young"}


def test_it_prefers_the_retention_of_the_queue_to_that_of_the_defaults():
    queue.set_knob("retention", 60, now=NOW, by="tests")
    queue.set_knob("retention", 600, queue="long", now=NOW, by="tests")
    queue.set_knob("retention", 0, queue="none", now=NOW, by="tests")
    queue.set_knob("max_retries", 1, queue="other", now=NOW, by="tests")
    for name in ("long", "none", "other", "unknown"):
        make_job(id=name, queue=name, state=State.COMPLETED, finished_at=after(seconds=-300))
    _prune_all()
    assert _ids() == {"long"}


def test_it_prunes_by_the_age_it_was_told_whatever_is_configured():
    queue.set_knob("retention", 3_600, queue="long", now=NOW, by="tests")
    make_job(id="old", queue="long", state=State.COMPLETED, finished_at=after(seconds=-61))
    make_job(id="young", state=State.COMPLETED, finished_at=after(seconds=-60))
    assert _prune_all(older_than_seconds=60) == [1]
    assert _ids() == {"young"}


def test_it_prunes_the_oldest_first_in_small_transactions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_prune, "PRUNED_PER_TRANSACTION", 2)
    make_jobs({"id": f"{age}", "state": State.COMPLETED, "finished_at": after(seconds=-age)} for age in range(10, 15))
    batches = queue.prune(policies=queue.load_policies(now=NOW), now=NOW, older_than_seconds=0)
    assert next(batches) == 2
    assert _ids() == {"10", "11", "12"}
    assert list(batches) == [2, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["jobs_job", "jobs_counter", "jobs_undo"])
def test_it_goes_on_pruning_after_a_deadlock(monkeypatch: pytest.MonkeyPatch, table: str):
    make_jobs({"id": id_, "state": State.COMPLETED} for id_ in "abc")
    conflict = OperationalError("deadlock detected")
    monkeypatch.setattr(sql.for_connection(connection), "is_conflict", lambda error: error is conflict)
    is_over = False

    def end_once(execute: Callable[..., Any], statement: str, *arguments: Any) -> Any:
        nonlocal is_over
        if statement.startswith("DELETE") and table in statement and not is_over:
            is_over = True
            raise conflict
        return execute(statement, *arguments)

    with connection.execute_wrapper(end_once):
        assert _prune_all(now=after(seconds=1), older_than_seconds=0) == [3]
    assert is_over


def test_it_stops_pruning_when_nobody_asks_for_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_prune, "PRUNED_PER_TRANSACTION", 1)
    make_jobs({"id": id_, "state": State.COMPLETED} for id_ in "abc")
    batches = queue.prune(policies=queue.load_policies(now=NOW), now=after(seconds=1), older_than_seconds=0)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert Job.objects.count() == 2


def test_it_leaves_a_job_that_was_requeued_between_two_transactions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_prune, "PRUNED_PER_TRANSACTION", 1)
    make_jobs({"id": id_, "state": State.COMPLETED} for id_ in "abc")
    batches = queue.prune(policies=queue.load_policies(now=NOW), now=after(seconds=1), older_than_seconds=0)
    next(batches)
    queue.requeue(["b"], now=NOW)
    assert list(batches) == [1]
    assert _ids() == {"b"}


def test_it_prunes_counters_that_no_window_shows_any_more():
    for days in (7, 9):
        minute = after(seconds=-days * DAY_SECONDS)
        Counter.objects.create(minute=minute, queue="default", writer=1, completed=days)
    assert _prune_all() == []
    assert Counter.objects.get().completed == 7


def test_it_deletes_a_job_that_has_run():
    make_job()
    turns.record(turns.claim_one(make_supervisor()), outcome=make_outcome())
    assert queue.delete(["job1"], now=NOW).changed == ["job1"]
    assert not Attempt.objects.exists()
