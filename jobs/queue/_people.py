"""What people do to jobs. Each verb is a guarded UPDATE or DELETE; what it did not match, it did not touch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Case, DateTimeField, F, Q, QuerySet, Value, When

from jobs.database import atomic
from jobs.errors import NotFound, QueueError, WrongState
from jobs.models import Job
from jobs.new_job import shown
from jobs.queue._again import again_after_conflict
from jobs.queue._announce import announce
from jobs.queue._prune import delete_jobs
from jobs.states import DEFERRED, FINAL, WAITING, State

JOBS_PER_TRANSACTION = 1_000  # a bulk verb that is killed has done whole batches, and may be repeated
RACES_MAX = 3  # a job may move between two statements; it does not do so often
# What a requeue resets. The fence stays, so nothing of the old run can touch the new one.
AFRESH: dict[str, Any] = {"attempts": 0, "postponements": 0, "finished_at": None, "cancel_requested_at": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a verb did: the ids it changed, and why it left the others alone."""

    changed: list[str] = field(default_factory=list)
    refused: dict[str, QueueError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One thing a person may do to a job: the states it applies to, the change, and the words for all other states.

    `leaves` is the state from which it can be undone; None: it cannot.
    """

    states: frozenset[State]
    change: Callable[[QuerySet[Job], datetime], int]
    refusal: str
    leaves: State | None = None


def requeue(ids: Sequence[str], *, now: datetime) -> Report:
    """Put final jobs back to pending with all their attempts ahead; what they did before stays in their history."""
    return apply_to_each(REQUEUE, ids, now=now)


def retry_dead(ids: Sequence[str], *, now: datetime) -> Report:
    """Requeue dead jobs, and no others."""
    return apply_to_each(RETRY_DEAD, ids, now=now)


def run_now(ids: Sequence[str], *, now: datetime) -> Report:
    """Make jobs due that wait for their time: scheduled ones, and failed ones before their backoff is over."""
    return apply_to_each(RUN_NOW, ids, now=now)


def cancel(ids: Sequence[str], *, now: datetime) -> Report:
    """Cancel waiting jobs; ask the supervisors of running ones to stop them, which they do within a second."""
    return apply_to_each(CANCEL, ids, now=now)


def delete(ids: Sequence[str], *, now: datetime) -> Report:
    """Delete final jobs with their history."""
    return apply_to_each(DELETE, ids, now=now)


def discard(ids: Sequence[str], *, now: datetime) -> Report:
    """Delete dead jobs with their history."""
    return apply_to_each(DISCARD, ids, now=now)


def apply_to_all(verb: Verb, jobs: QuerySet[Job], *, now: datetime) -> Iterator[int]:
    """Apply `verb` to every job of `jobs` that is in one of its states; yield the number changed by each transaction.

    Jobs that come to match meanwhile may be left out. Stop iterating to stop.
    """
    # One state is compared, not looked up in a list: the index of dead jobs is used for a comparison only.
    states = sorted(verb.states)
    in_state = {"state": states[0]} if len(states) == 1 else {"state__in": states}
    matching = jobs.filter(**in_state).order_by("pk").values_list("pk", flat=True)
    last, is_full = "", True
    while is_full and (ids := list(matching.filter(pk__gt=last)[:JOBS_PER_TRANSACTION])):
        yield _change(verb, Job.objects.filter(pk__in=ids, state__in=states), now)
        # No further look after the last jobs: it would find what someone else has brought into these states since.
        last, is_full = ids[-1], len(ids) == JOBS_PER_TRANSACTION


def apply_to_each(verb: Verb, ids: Sequence[str], *, now: datetime) -> Report:
    """Apply `verb` to jobs, with an answer for each."""
    report = Report()
    for id_ in dict.fromkeys(ids):
        refusal = _one(verb, id_, now)
        if refusal is None:
            report.changed.append(id_)
        else:
            report.refused[id_] = refusal
    return report


@again_after_conflict
@atomic()
def apply_together(verb: Verb, ids: Sequence[str], *, now: datetime) -> Report:
    """Apply `verb` to at most a thousand jobs in one transaction, which takes a few statements; answer for each."""
    matching = Job.objects.filter(pk__in=ids, state__in=sorted(verb.states))
    # Locked, so that those are changed and no others.
    found = set(matching.select_for_update().values_list("pk", flat=True))
    _change(verb, Job.objects.filter(pk__in=found, state__in=sorted(verb.states)), now)
    states = dict(Job.objects.filter(pk__in=set(ids) - found).values_list("pk", "state"))
    refused = {id_: _refusal(verb, id_, states.get(id_)) for id_ in ids if id_ not in found}
    return Report(changed=[id_ for id_ in dict.fromkeys(ids) if id_ in found], refused=refused)


def _one(verb: Verb, id_: str, now: datetime) -> QueueError | None:
    """Apply `verb` to one job; return None if it did, else the reason it did not."""
    job = Job.objects.filter(pk=id_)
    state: str | None = None
    for _ in range(RACES_MAX):
        if _change(verb, job.filter(state__in=sorted(verb.states)), now):
            return None
        state = job.values_list("state", flat=True).first()
        if state not in verb.states:
            return _refusal(verb, id_, state)
    return _refusal(verb, id_, state)


def _refusal(verb: Verb, id_: str, state: str | None) -> QueueError:
    if state is None:
        return NotFound(f"there is no job {shown(id_)}")
    if state in verb.states:
        return WrongState(f"{shown(id_)} keeps changing its state; try again")
    return WrongState(f"{shown(id_)} is {state}; {verb.refusal.format(id=shown(id_))}")


@again_after_conflict
def _change(verb: Verb, jobs: QuerySet[Job], now: datetime) -> int:
    changed = verb.change(jobs, now)
    if changed:
        announce()
    return changed


def _requeue(jobs: QuerySet[Job], now: datetime) -> int:
    return jobs.update(state=State.PENDING, run_at=now, **AFRESH)


def _run_now(jobs: QuerySet[Job], now: datetime) -> int:
    return jobs.update(state=State.PENDING, run_at=due_at(now))


def due_at(now: datetime) -> Case:
    """Return the `run_at` of a job that waits no longer. One that is due already keeps its place in line."""
    return Case(When(run_at__gt=now, then=Value(now)), default=F("run_at"), output_field=DateTimeField())


def _cancel(jobs: QuerySet[Job], now: datetime) -> int:
    # One statement: a job that moved on between two would be missed by both.
    is_running = Q(state=State.PROCESSING)
    return jobs.update(
        state=Case(When(is_running, then=F("state")), default=Value(State.CANCELLED)),
        finished_at=Case(When(is_running, then=Value(None)), default=Value(now), output_field=DateTimeField()),
        cancel_requested_at=now,
    )


def _delete(jobs: QuerySet[Job], _now: datetime) -> int:
    return delete_jobs(jobs)


REQUEUE = Verb(
    states=FINAL,
    change=_requeue,
    refusal="only completed, dead and cancelled jobs can be run again",
    leaves=State.PENDING,
)
RETRY_DEAD = Verb(
    states=frozenset({State.DEAD}),
    change=_requeue,
    refusal="only dead jobs can be retried here (queuectl retry {id} runs any finished job again)",
    leaves=State.PENDING,
)
RUN_NOW = Verb(
    states=DEFERRED,
    change=_run_now,
    refusal="only scheduled and failed jobs wait for their time",
)
CANCEL = Verb(
    states=WAITING | {State.PROCESSING},
    change=_cancel,
    refusal="only waiting and running jobs can be cancelled",
    leaves=State.CANCELLED,
)
DELETE = Verb(
    states=FINAL,
    change=_delete,
    refusal="only completed, dead and cancelled jobs can be deleted (queuectl cancel {id} stops it first)",
)
DISCARD = Verb(
    states=frozenset({State.DEAD}),
    change=_delete,
    refusal="only dead jobs can be discarded (queuectl delete {id} deletes any finished job)",
)
