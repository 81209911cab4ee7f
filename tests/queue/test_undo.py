"""Undo: within a minute, what a requeue or a cancellation changed is put back, where nothing came after it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from jobs import queue
from jobs.models import Attempt, Job, Supervisor, Undo
from jobs.queue import Left, Undone, _people, _undo
from jobs.states import FINAL, UNDONE, WAITING, Ending, State
from tests.clock import NOW, after
from tests.factories import make_job, make_jobs, make_outcome, make_supervisor
from tests.queue import turns
from tests.queue.racing import interrupted, race

pytestmark = pytest.mark.django_db

ACTION, USER = "a" * 32, "7"
VERBS = {"requeue": queue.REQUEUE, "retry_dead": queue.RETRY_DEAD, "cancel": queue.CANCEL}
CASES = [(name, state) for name, verb in VERBS.items() for state in sorted(verb.states & (FINAL | WAITING))]


def rows() -> dict[str, dict[str, Any]]:
    return {row["id"]: dict(row) for row in Job.objects.values()}


def act(verb: queue.Verb, *ids: str, action: str = ACTION, now=NOW) -> list[str]:
    undoable = queue.undoable(verb, action=action, user=USER)
    return queue.apply_together(undoable, ids or list(rows()), now=now).changed


def act_on_each(verb: queue.Verb, *, now=NOW) -> list[str]:
    return queue.apply_to_each(queue.undoable(verb, action=ACTION, user=USER), list(rows()), now=now).changed


def act_on_all(verb: queue.Verb, *, now=NOW) -> int:
    undoable = queue.undoable(verb, action=ACTION, user=USER)
    return sum(queue.apply_to_all(undoable, Job.objects.all(), now=now))


def undo(*, action: str = ACTION, user: str = USER, now=NOW) -> Undone:
    whole = Undone()
    for part in queue.undo(action=action, user=user, now=now):
        whole.put_back.extend(part.put_back)
        whole.left.update(part.left)
    return whole


def make_full(state: State, id_: str = "job1") -> Job:
    """Store a job with something in each column that a verb may overwrite."""
    return make_job(
        id=id_,
        state=state,
        attempts=2,
        fence=5,
        postponements=3,
        run_at=after(seconds=-7.654321),
        priority=4,
        max_retries=6,
        backoff_base=1.1,
        backoff_max_seconds=33.3,
        timeout_seconds=0.1,
        started_at=after(seconds=-6),
        claimed_at=after(seconds=-6.5),
        error="exit code 3",
        exit_code=3,
        outcome=Ending.FAILED,
        cancel_requested_at=after(seconds=-5) if state is State.CANCELLED else None,
    )


@pytest.mark.parametrize(("name", "state"), CASES)
@pytest.mark.parametrize("how", [act, act_on_each, act_on_all])
def test_it_puts_a_job_back_exactly_as_it_was(name: str, state: State, how: Callable[..., object]):
    make_full(state)
    before = rows()
    how(VERBS[name], now=after(seconds=0.123456))
    assert rows() != before
    assert undo(now=after(seconds=59)) == Undone(put_back=["job1"])
    assert rows() == before


def test_it_makes_exactly_the_transitions_that_the_table_of_undoing_has():
    done = set()
    for name, state in CASES:
        make_job(state=state)
        act(VERBS[name])
        left = Job.objects.get().state
        undo()
        done.add((State(left), State(Job.objects.get().state)))
        Job.objects.all().delete()
    assert done == {(left, before) for left, states in UNDONE.items() for before in states}


@pytest.mark.parametrize("verb", [queue.DELETE, queue.DISCARD, queue.RUN_NOW])
def test_it_keeps_nothing_of_a_verb_that_cannot_be_undone(verb: queue.Verb):
    make_jobs([{"id": "dead", "state": State.DEAD}, {"id": "failed", "state": State.FAILED}])
    act(verb)
    assert not Undo.objects.exists()
    assert queue.kept(action=ACTION, user=USER, now=NOW) is None


def test_it_does_not_bring_back_a_running_job_that_was_asked_to_stop():
    make_job(state=State.PROCESSING)
    make_job(id="waiting")
    assert act(queue.CANCEL) == ["job1", "waiting"]
    assert undo() == Undone(put_back=["waiting"])
    assert Job.objects.get(pk="job1").cancel_requested_at == NOW


def test_it_says_what_there_is_to_undo_and_until_when():
    make_jobs({"id": f"{number}", "state": State.DEAD} for number in range(3))
    act(queue.RETRY_DEAD)
    found = queue.kept(action=ACTION, user=USER, now=NOW)
    assert found == queue.Kept(count=3, state=State.PENDING, until=after(seconds=60))


def test_it_undoes_nothing_when_the_minute_is_over():
    make_job(state=State.DEAD)
    act(queue.REQUEUE)
    before = rows()
    assert queue.kept(action=ACTION, user=USER, now=after(seconds=60)) is None
    assert undo(now=after(seconds=60)) == Undone()
    assert rows() == before


@pytest.mark.parametrize("whose", [{"user": "8"}, {"action": "b" * 32}, {"user": "", "action": ""}])
def test_it_undoes_nothing_that_another_person_did(whose: dict[str, str]):
    make_job(state=State.DEAD)
    act(queue.REQUEUE)
    before = rows()
    assert queue.kept(now=NOW, **({"user": USER, "action": ACTION} | whose)) is None
    assert undo(**whose) == Undone()
    assert rows() == before


def test_it_undoes_once():
    make_job(state=State.DEAD)
    act(queue.REQUEUE)
    undo()
    queue.requeue(["job1"], now=NOW)  # at the same moment, even: as the first action left it
    assert undo() == Undone()
    assert Job.objects.get().state == State.PENDING


def test_it_leaves_what_has_started():
    make_job(state=State.DEAD)
    act(queue.REQUEUE)
    turns.claim_one(make_supervisor())
    before = rows()
    assert undo() == Undone(left={"job1": Left.STARTED})
    assert rows() == before


def test_it_leaves_what_has_started_and_was_released():
    # It is pending again, with the same `run_at` and no attempt spent: only its fence tells.
    make_job(state=State.DEAD)
    act(queue.REQUEUE)
    turns.record(turns.claim_one(make_supervisor()), outcome=None)
    before = rows()
    assert undo() == Undone(left={"job1": Left.STARTED})
    assert rows() == before


def test_it_leaves_what_has_run_to_its_end():
    make_job(state=State.DEAD)
    act(queue.REQUEUE)
    turns.record(turns.claim_one(make_supervisor()), outcome=make_outcome())
    before = rows()
    assert undo() == Undone(left={"job1": Left.STARTED})
    assert rows() == before
    assert Attempt.objects.count() == 1


def test_it_leaves_what_is_gone():
    make_job()
    act(queue.CANCEL)
    queue.delete(["job1"], now=NOW)
    assert undo() == Undone(left={"job1": Left.GONE})
    assert not Job.objects.exists()


LATER = after(seconds=5)
SINCE: dict[str, tuple[queue.Verb, State, Callable[[], object]]] = {
    "cancelled": (queue.REQUEUE, State.DEAD, lambda: queue.cancel(["job1"], now=LATER)),
    "cancelled and requeued": (
        queue.REQUEUE,
        State.DEAD,
        lambda: (queue.cancel(["job1"], now=LATER), queue.requeue(["job1"], now=LATER)),
    ),
    "given another priority": (
        queue.REQUEUE,
        State.DEAD,
        lambda: queue.change_settings("job1", fields={"priority": 9}, fence=1, now=LATER),
    ),
    "put off": (
        queue.REQUEUE,
        State.DEAD,
        lambda: queue.change_settings("job1", fields={"run_at": after(seconds=999)}, fence=1, now=LATER),
    ),
    "requeued": (queue.CANCEL, State.PENDING, lambda: queue.requeue(["job1"], now=LATER)),
    "requeued and cancelled": (
        queue.CANCEL,
        State.FAILED,
        lambda: (queue.requeue(["job1"], now=LATER), queue.cancel(["job1"], now=LATER)),
    ),
    "requeued with other settings": (
        queue.CANCEL,
        State.SCHEDULED,
        lambda: queue.change_and_requeue("job1", fields={"queue": "mail"}, fence=0, now=LATER),
    ),
}


@pytest.mark.parametrize("what", SINCE)
def test_it_leaves_what_was_changed_since(what: str):
    verb, state, change = SINCE[what]
    make_job(state=state)
    act(verb)
    change()
    before = rows()
    assert undo(now=LATER) == Undone(left={"job1": Left.CHANGED})
    assert rows() == before


def test_it_undoes_one_of_two_actions_on_a_job_after_the_other_was_undone():
    make_job(state=State.DEAD, priority=3)
    before = rows()
    act(queue.REQUEUE)
    act(queue.CANCEL, action="b" * 32, now=LATER)
    assert undo().left == {"job1": Left.CHANGED}
    assert undo(action="b" * 32, now=LATER) == Undone(put_back=["job1"])
    assert Job.objects.get().state == State.PENDING
    assert rows() != before


def test_it_says_of_each_job_what_became_of_it():
    make_jobs({"id": id_, "state": State.DEAD} for id_ in ("back", "started", "changed", "gone"))
    act(queue.REQUEUE)
    queue.change_settings("started", fields={"priority": 9}, fence=1, now=NOW)
    turns.claim(make_supervisor(), limit=1)
    queue.cancel(["changed", "gone"], now=NOW)
    queue.delete(["gone"], now=NOW)
    left = {"started": Left.STARTED, "changed": Left.CHANGED, "gone": Left.GONE}
    assert undo() == Undone(put_back=["back"], left=left)


def test_it_runs_after_all_what_was_cancelled_by_mistake():
    make_job()
    act(queue.CANCEL)
    undo()
    assert turns.claim_one(make_supervisor()).id == "job1"


def test_it_works_through_many_a_transaction_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_people, "JOBS_PER_TRANSACTION", 3)
    monkeypatch.setattr(_undo, "JOBS_PER_TRANSACTION", 2)
    make_jobs({"id": f"{number}", "state": State.DEAD} for number in range(5))
    before = rows()
    assert act_on_all(queue.RETRY_DEAD) == 5
    assert [part.put_back for part in queue.undo(action=ACTION, user=USER, now=NOW)] == [["0", "1"], ["2", "3"], ["4"]]
    assert rows() == before


def test_it_goes_on_where_it_was_stopped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_undo, "JOBS_PER_TRANSACTION", 2)
    make_jobs({"id": f"{number}", "state": State.DEAD} for number in range(5))
    act(queue.REQUEUE)
    next(queue.undo(action=ACTION, user=USER, now=NOW))
    assert queue.kept(action=ACTION, user=USER, now=NOW) == queue.Kept(
        count=3, state=State.PENDING, until=after(seconds=60)
    )
    assert undo().put_back == ["2", "3", "4"]


def test_it_keeps_nothing_of_a_change_that_failed(monkeypatch: pytest.MonkeyPatch):
    make_job(state=State.DEAD)

    def fail(rows: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Undo.objects, "bulk_create", fail)
    with pytest.raises(RuntimeError):
        act(queue.REQUEUE)
    assert Job.objects.get().state == State.DEAD


def test_it_is_forgotten_by_the_next_pruning():
    make_job(state=State.DEAD)
    act(queue.REQUEUE)
    list(queue.prune(policies=queue.load_policies(now=NOW), now=after(seconds=59)))
    assert Undo.objects.count() == 1
    list(queue.prune(policies=queue.load_policies(now=NOW), now=after(seconds=60)))
    assert Undo.objects.count() == 0


def test_the_database_refuses_to_keep_what_leads_nowhere():
    make_job(state=State.DEAD)
    act(queue.REQUEUE)
    with pytest.raises(IntegrityError), transaction.atomic():
        Undo.objects.update(state=State.PROCESSING)


# Against workers and other people


def raced(*actions: Callable[[], Any]) -> list[Any]:
    return race(*actions)


def _ids(count: int) -> list[str]:
    return [f"{number:02}" for number in range(count)]


def _claim_some(times: int) -> Callable[[], list[str]]:
    supervisor = make_supervisor()
    return lambda: [claim.id for _ in range(times) for claim in turns.claim(supervisor, limit=3)]


@pytest.mark.django_db(transaction=True)
def test_it_either_puts_back_or_leaves_to_a_worker():
    make_jobs({"id": id_, "state": State.DEAD, "attempts": 3, "fence": 3} for id_ in _ids(30))
    before = rows()
    act(queue.RETRY_DEAD)
    claimed, undone = raced(_claim_some(5), undo)
    _check_undone_beside_claims(before, claimed, undone)


def _check_undone_beside_claims(before: dict[str, Any], claimed: Sequence[str], undone: Undone) -> None:
    assert not set(claimed) & set(undone.put_back)
    now = rows()
    assert {id_: now[id_] for id_ in undone.put_back} == {id_: before[id_] for id_ in undone.put_back}
    assert set(undone.left) == set(before) - set(undone.put_back)
    assert set(undone.left.values()) <= {Left.STARTED}
    assert set(claimed) == set(undone.left)
    assert {(now[id_]["state"], now[id_]["fence"]) for id_ in claimed} <= {("processing", 4)}


def _claim_and_fail(supervisor: Supervisor) -> None:
    turns.record(*turns.claim(supervisor), outcome=make_outcome(ending=Ending.FAILED))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", [act, act_on_each, act_on_all])
def test_it_keeps_what_it_overwrites_when_a_worker_comes_in_between(how: Callable[..., object]):
    make_job()
    supervisor = make_supervisor()
    with interrupted(before="UPDATE", by=lambda: _claim_and_fail(supervisor)):
        how(queue.CANCEL)
    (kept,) = Undo.objects.all()
    overwritten = (kept.state, kept.fence)
    assert undo() == Undone(put_back=["job1"])
    assert (Job.objects.get().state, Job.objects.get().fence) == overwritten


@pytest.mark.django_db(transaction=True)
def test_it_keeps_of_each_job_exactly_what_was_overwritten():
    """Cancel jobs while workers claim and fail them: what was cancelled waiting comes back as it was at that moment."""
    make_jobs({"id": id_} for id_ in _ids(30))
    supervisor = make_supervisor()

    def claim_and_fail() -> list[str]:
        claims = [claim for _ in range(5) for claim in turns.claim(supervisor, limit=3)]
        turns.record(*claims, outcome=make_outcome(ending=Ending.FAILED))
        return [claim.id for claim in claims]

    claimed, _ = raced(claim_and_fail, lambda: act(queue.CANCEL, *_ids(30)))
    cancelled = set(Undo.objects.values_list("job", flat=True))
    undone = undo()
    assert set(undone.put_back) == cancelled
    now = rows()
    assert {now[id_]["state"] for id_ in cancelled - set(claimed)} <= {"pending"}
    assert {now[id_]["state"] for id_ in cancelled & set(claimed)} <= {"failed"}
    assert {now[id_]["state"] for id_ in set(claimed) - cancelled} <= {"cancelled"}


@pytest.mark.django_db(transaction=True)
def test_it_puts_each_job_back_once_at_a_double_click(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_undo, "JOBS_PER_TRANSACTION", 4)
    make_jobs({"id": id_, "state": State.DEAD} for id_ in _ids(20))
    before = rows()
    act(queue.RETRY_DEAD)
    first, second = raced(undo, undo)
    assert sorted(first.put_back + second.put_back) == _ids(20)
    assert first.left == second.left == {}
    assert rows() == before


@pytest.mark.django_db(transaction=True)
def test_it_either_puts_back_or_leaves_to_another_person():
    make_jobs({"id": id_, "state": State.DEAD} for id_ in _ids(20))
    before = rows()
    act(queue.RETRY_DEAD)
    undone, cancelled = raced(undo, lambda: queue.cancel(_ids(20)[::-1], now=LATER).changed)
    assert set(undone.put_back).isdisjoint(cancelled)
    assert set(undone.left) == set(cancelled)
    now = rows()
    assert {id_: now[id_] for id_ in undone.put_back} == {id_: before[id_] for id_ in undone.put_back}
    assert {now[id_]["state"] for id_ in cancelled} <= {"cancelled"}
