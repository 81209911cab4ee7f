"""Changing a job's settings: those of a waiting one, and of a final one as it is requeued. Never what it executes."""

from typing import Any

import pytest

from jobs import queue
from jobs.database import atomic
from jobs.errors import InvalidInput, NotFound, WrongState
from jobs.models import Job
from jobs.states import FINAL, WAITING, Ending, State
from tests.clock import DAY_SECONDS, NOW, after
from tests.factories import make_job, make_outcome, make_supervisor
from tests.queue import turns
from tests.queue.racing import race

pytestmark = pytest.mark.django_db

SOON, TOMORROW = after(seconds=60), after(seconds=DAY_SECONDS)


def row() -> dict[str, Any]:
    return dict(Job.objects.values().get())


def change(job: Job, /, *, now=NOW, **fields: Any) -> None:
    queue.change_settings(job.pk, fields=fields, fence=job.fence, now=now)


def change_and_requeue(job: Job, /, *, now=NOW, **fields: Any) -> None:
    queue.change_and_requeue(job.pk, fields=fields, fence=job.fence, now=now)


@pytest.mark.parametrize("state", sorted(WAITING))
def test_it_takes_a_change_of_nothing(state: State):
    job = make_job(state=state)
    before = row()
    change(job)
    assert row() == before


@pytest.mark.parametrize("state", sorted(WAITING))
def test_it_changes_how_a_waiting_job_is_executed_and_nothing_else(state: State):
    job = make_job(state=state, max_retries=1, backoff_base=3.0)
    before = row()
    change(job, queue="mail", priority=5, timeout="10m", backoff_max=60, backoff_base=None)
    changed = {"queue": "mail", "priority": 5, "timeout_seconds": 600.0, "backoff_max_seconds": 60.0}
    assert row() == before | changed | {"backoff_base": None}


@pytest.mark.parametrize("state", sorted(WAITING))
def test_it_puts_a_waiting_job_off(state: State):
    change(make_job(state=state), run_at=TOMORROW.isoformat())
    job = Job.objects.get()
    assert (job.state, job.run_at) == (State.FAILED if state is State.FAILED else State.SCHEDULED, TOMORROW)
    assert turns.claim(make_supervisor()) == []


@pytest.mark.parametrize("state", sorted(WAITING))
@pytest.mark.parametrize("run_at", [None, after(seconds=-60)])
def test_it_makes_a_waiting_job_due(state: State, run_at):
    change(make_job(state=state, run_at=SOON), run_at=run_at)
    job = Job.objects.get()
    assert (job.state, job.run_at) == (State.PENDING, run_at or NOW)
    assert [claim.id for claim in turns.claim(make_supervisor())] == ["job1"]


def test_it_runs_a_job_that_was_put_off_when_its_time_comes():
    change(make_job(), run_at=SOON)
    with atomic():
        queue.promote(now=SOON)
    assert [claim.id for claim in turns.claim(make_supervisor(), now=SOON)] == ["job1"]


@pytest.mark.parametrize("state", sorted(FINAL))
def test_it_requeues_a_final_job_with_other_settings(state: State):
    job = make_job(state=state, attempts=4, fence=6, postponements=3, cancel_requested_at=NOW, error="exit code 1")
    before = row()
    change_and_requeue(job, now=SOON, queue="mail", max_retries=9)
    afresh = {"attempts": 0, "postponements": 0, "finished_at": None, "cancel_requested_at": None, "run_at": SOON}
    assert row() == before | afresh | {"state": State.PENDING, "queue": "mail", "max_retries": 9}


@pytest.mark.parametrize("state", sorted(FINAL))
def test_it_requeues_a_final_job_for_later(state: State):
    change_and_requeue(make_job(state=state), run_at=TOMORROW)
    job = Job.objects.get()
    assert (job.state, job.run_at, job.finished_at) == (State.SCHEDULED, TOMORROW, None)


def test_it_requeues_for_now_what_should_run_in_the_past():
    # By a later `run_at` a move between databases tells the requeued one of two copies.
    change_and_requeue(make_job(state=State.DEAD), now=SOON, run_at=NOW)
    assert Job.objects.get().run_at == SOON


@pytest.mark.parametrize("state", sorted(set(State) - WAITING))
def test_it_does_not_change_a_job_that_does_not_wait(state: State):
    job = make_job(state=state)
    before = row()
    with pytest.raises(WrongState, match=f"job1 is {state}; only waiting jobs"):
        change(job, priority=5)
    assert row() == before


@pytest.mark.parametrize("state", sorted(set(State) - FINAL))
def test_it_does_not_requeue_a_job_that_is_not_final(state: State):
    job = make_job(state=state)
    before = row()
    with pytest.raises(WrongState, match=f"job1 is {state}; only finished jobs"):
        change_and_requeue(job, priority=5)
    assert row() == before


@pytest.mark.parametrize("verb", [change, change_and_requeue])
def test_it_changes_nothing_of_a_job_that_is_not_there(verb):
    with pytest.raises(NotFound):
        verb(Job(pk="nobody"), priority=5)


def test_it_changes_nothing_of_a_waiting_job_that_ran_since_it_was_looked_at():
    seen = make_job()
    turns.record(turns.claim_one(make_supervisor()), outcome=make_outcome(ending=Ending.FAILED))
    before = row()
    with pytest.raises(WrongState, match="job1 has started meanwhile, and is failed; nothing was changed"):
        change(seen, priority=5)
    assert row() == before


def test_it_does_not_requeue_a_second_time_what_was_requeued_ran_and_died_again():
    seen = make_job(state=State.DEAD, max_retries=0)
    queue.requeue(["job1"], now=NOW)
    turns.record(turns.claim_one(make_supervisor()), outcome=make_outcome(ending=Ending.FAILED))
    before = row()
    with pytest.raises(WrongState, match="job1 has started meanwhile, and is dead"):
        change_and_requeue(seen, priority=5)
    assert row() == before


WRONG = [
    {"priority": 101}, {"queue": "*"}, {"max_retries": -1}, {"timeout": "x"}, {"backoff_base": "x"},
    {"run_at": "tomorrow"}, {"run_at": "9999-01-01T00:00:00Z"}, {"a": 1},
]  # fmt: skip


@pytest.mark.parametrize("fields", WRONG)
@pytest.mark.parametrize(("verb", "state"), [(change, State.PENDING), (change_and_requeue, State.DEAD)])
def test_it_refuses_wrong_settings_and_changes_nothing(verb, state: State, fields: dict[str, Any]):
    job = make_job(state=state)
    before = row()
    with pytest.raises(InvalidInput):
        verb(job, **({"priority": 5} | fields))
    assert row() == before


EXECUTED = [
    {"command": "rm"}, {"task": "os.system"}, {"args": []}, {"kwargs": {}}, {"cwd": "/"}, {"env": {}}, {"id": "job2"},
    {"delay": 5}, {"state": "completed"}, {"fence": 9}, {"attempts": 0},
]  # fmt: skip


@pytest.mark.parametrize("fields", EXECUTED)
@pytest.mark.parametrize(("verb", "state"), [(queue.change_settings, "pending"), (queue.change_and_requeue, "dead")])
def test_it_refuses_to_change_what_is_executed(verb, state: str, fields: dict[str, Any]):
    job = make_job(state=State(state))
    before = row()
    with pytest.raises(InvalidInput, match="cannot be changed"):
        verb("job1", fields=fields, fence=job.fence, now=NOW)
    assert row() == before


@pytest.mark.django_db(transaction=True)
def test_it_either_puts_a_job_off_or_says_that_it_has_started():
    supervisor = make_supervisor()
    ids = [f"{number:02}" for number in range(20)]
    for id_ in ids:
        make_job(id=id_)

    def claim_all() -> set[str]:
        return {claim.id for _ in range(10) for claim in turns.claim(supervisor, limit=2)}

    def put_off_all() -> set[str]:
        return {id_ for id_ in reversed(ids) if _is_put_off(id_)}

    claimed, put_off = race(claim_all, put_off_all)
    assert claimed | put_off == set(ids)
    assert not claimed & put_off
    assert put_off == set(Job.objects.filter(state=State.SCHEDULED, run_at=TOMORROW).values_list("pk", flat=True))


def _is_put_off(id_: str) -> bool:
    try:
        queue.change_settings(id_, fields={"run_at": TOMORROW}, fence=0, now=NOW)
    except WrongState:
        return False
    return True
