"""Undo: how jobs were before a person requeued or cancelled them is kept for a minute, and put back if it still fits.

A job that has been claimed since has a higher fence, and one that was changed since is not as the verb left it: those
stay as they are. Running jobs that were asked to stop are not kept: they may be ending already.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from jobs.database import atomic
from jobs.errors import WrongState
from jobs.models import Job, Undo
from jobs.queue._again import again_after_conflict
from jobs.queue._announce import announce
from jobs.queue._people import Verb
from jobs.queue._prune import UNDO_KEPT
from jobs.states import UNDONE, State

JOBS_PER_TRANSACTION = 1_000
# What is put back, and what must not have changed since.
RESTORED = ("state", "run_at", "finished_at", "cancel_requested_at", "attempts", "postponements")
SAME = ("fence", "queue", "priority", "max_retries", "backoff_base", "backoff_max_seconds", "timeout_seconds")
SEEN = ("pk", "state", "run_at", "finished_at", *SAME)
# Where a verb writes its moment, by the state in which it leaves a job.
MOMENT = {State.PENDING: "run_at", State.CANCELLED: "finished_at"}


class Left(StrEnum):
    """Why a job was not put back."""

    STARTED = "started"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What an undo did: the ids of the jobs it put back, and why it left the others."""

    put_back: list[str] = field(default_factory=list)
    left: dict[str, Left] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What an undo would find: how many jobs, in which state the verb left them, and until when."""

    count: int
    state: State
    until: datetime


def undoable(verb: Verb, *, action: str, user: str) -> Verb:
    """Return `verb` such that what it changes can be put back by `undo`, by the same user under the same name."""
    return verb if verb.leaves is None else replace(verb, change=partial(_change, verb=verb, action=action, user=user))


@atomic()
def _change(jobs: QuerySet[Job], now: datetime, *, verb: Verb, action: str, user: str) -> int:
    """Change jobs and keep how they were, in one transaction, which holds them from one to the other."""
    assert verb.leaves is not None
    changing = jobs.filter(state__in=sorted(UNDONE[verb.leaves])).select_for_update()
    before = list(changing.values("pk", *RESTORED, *SAME))
    changed = verb.change(jobs, now)
    about = {"action": action, "user": user, "at": now, "left_state": verb.leaves}
    Undo.objects.bulk_create(Undo(job=row.pop("pk"), **about, **row) for row in before)
    return changed


def kept(*, action: str, user: str, now: datetime) -> Kept | None:
    """Return what there is to undo; None: nothing, or no more."""
    rows = _rows(action, user, now)
    first = rows.first()
    if first is None:
        return None
    return Kept(count=rows.count(), state=State(first.left_state), until=first.at + UNDO_KEPT)


def undo(*, action: str, user: str, now: datetime) -> Iterator[Undone]:
    """Put jobs back exactly as they were; yield what each transaction did. Stop iterating to stop.

    What was tried is forgotten, so that no job is put back twice.
    """
    while (undone := _undo_some(action, user, now)) is not None:
        yield undone


def _rows(action: str, user: str, now: datetime) -> QuerySet[Undo]:
    return Undo.objects.filter(action=action, user=user, at__gt=now - UNDO_KEPT).order_by("job")


@again_after_conflict
def _undo_some(action: str, user: str, now: datetime) -> Undone | None:
    with atomic():
        rows = list(_rows(action, user, now).select_for_update()[:JOBS_PER_TRANSACTION])
        if not rows:
            return None
        # Locked, so that no worker takes one between the look and the change.
        jobs = Job.objects.filter(pk__in=[row.job for row in rows]).select_for_update().only(*SEEN).in_bulk()
        left = {row.job: why for row in rows if (why := _why_not(row, jobs.get(row.job))) is not None}
        put_back = [row.job for row in rows if row.job not in left]
        _put_back(rows[0], put_back)
        Undo.objects.filter(pk__in=[row.pk for row in rows]).delete()
        return Undone(put_back=put_back, left=left)


def _why_not(row: Undo, job: Job | None) -> Left | None:
    """Return what happened to a job since; None: nothing, it is as the verb left it."""
    if job is None:
        return Left.GONE
    if job.fence > row.fence:
        return Left.STARTED
    is_as_left = job.state == row.left_state and getattr(job, MOMENT[State(row.left_state)]) == row.at
    return None if is_as_left and all(getattr(job, name) == getattr(row, name) for name in SAME) else Left.CHANGED


def _put_back(first: Undo, ids: list[str]) -> None:
    """Put these jobs of one action back, in a statement that copies what is kept of each."""
    kept = Undo.objects.filter(action=first.action, job=OuterRef("pk"))
    as_left = {"state": first.left_state, MOMENT[State(first.left_state)]: first.at}
    values: dict[str, Any] = {name: Subquery(kept.values(name)) for name in RESTORED}
    if Job.objects.filter(pk__in=ids, **as_left).update(**values) != len(ids):
        raise WrongState("jobs were changed while they were put back; nothing was changed, try again")
    announce()
