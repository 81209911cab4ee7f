"""Handing jobs over to another database: what is stored there, and what stays behind here. Called by `moving`.

A job is stored in the destination before it is cancelled in the source, whose row stays locked meanwhile. So a move
that dies leaves no job in neither, and those of one batch at most in both, where the next move finds them.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from django.db.models import QuerySet

from jobs.errors import JobExists, WrongState
from jobs.models import Attempt, Config, ConfigChange, Counter, Job, Supervisor
from jobs.states import FINAL, WAITING, State

MOVED_PREFIX = "moved to "  # in the error of a job that was handed over; how a later move knows it
# What may run, or be put back by one command, in one database only. Of a dead job that is two steps in one: requeued
# and cancelled. Completed and cancelled jobs are history, which may exist twice.
HANDED_OVER = WAITING | {State.PROCESSING, State.DEAD}
# What a job is from its enqueueing on; a job with the same id and another of these is another job.
IDENTITY = ("kind", "command", "uses_shell", "cwd", "env", "signature", "task", "args", "kwargs", "enqueued_at")

ATTEMPTS_PER_READ = 200  # each may carry 128 KiB of output
INSERT_BYTES = 1_048_576  # a statement stays far below the 16 MiB that MariaDB accepts
CONFLICTS_SHOWN = 3

Row = TypeVar("Row", Job, Attempt)


class Standing(StrEnum):
    """How a job of the source stands in the destination."""

    MISSING = "missing"
    THERE = "there"  # as it is here, or it has gone on there
    STALE = "stale"  # what is there is less than what is here: a copy of a move that died, and the job has gone on
    ANOTHER = "another"  # the id belongs to another job
    APART = "apart"  # it has gone on in both


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What was stored in the destination: the ids of the jobs, and the number of their attempts."""

    ids: frozenset[str]
    attempts: int


def is_moved(job: Job) -> bool:
    """Tell whether an earlier move has handed this job over."""
    return job.state == State.CANCELLED and (job.error or "").startswith(MOVED_PREFIX)


def standing(here: Job, there: Job | None) -> Standing:
    """Compare a job of the source with the destination's of the same id.

    Every claim raises the fence, so the higher one is the newer truth. At the same fence the only changes are those of
    people and of the rescuer; a requeue is known by its `run_at`.
    """
    if there is None:
        return Standing.MISSING
    if is_moved(there):
        return Standing.STALE  # it was moved from there to here, and now it moves back
    if any(getattr(here, name) != getattr(there, name) for name in IDENTITY):
        return Standing.ANOTHER
    if here.fence < there.fence:
        return Standing.THERE
    if here.fence > there.fence:
        return Standing.APART if there.state in FINAL and here.state not in FINAL else Standing.STALE
    return Standing.STALE if _has_gone_on(here, there) else Standing.THERE


def _has_gone_on(here: Job, there: Job) -> bool:
    """Tell whether the one here is newer, of two at the same fence."""
    if here.state in (there.state, State.PROCESSING):
        return False
    if there.state == State.PROCESSING:
        return True  # rescued here; there it still waits for that
    if here.state in WAITING and there.state in FINAL:
        return here.run_at > there.run_at  # requeued here; else cancelled there
    # Cancelled here; else requeued there.
    return here.state == State.CANCELLED and there.state in WAITING and here.run_at == there.run_at


def refuse_conflicts(standings: Mapping[str, Standing]) -> None:
    """Raise JobExists if some of these cannot be moved."""
    wrong = sorted(id_ for id_, found in standings.items() if found in (Standing.ANOTHER, Standing.APART))
    if not wrong:
        return
    listed = ", ".join(wrong[:CONFLICTS_SHOWN]) + (" and others" if len(wrong) > CONFLICTS_SHOWN else "")
    if standings[wrong[0]] is Standing.ANOTHER:
        reason = "the destination has another job of the same id"
    else:
        reason = "gone on in both databases since an earlier move"
    raise JobExists(f"{listed}: {reason}; delete one of the two, then repeat the command")


def lock_next(jobs: QuerySet[Job], *, after: str, limit: int) -> list[Job]:
    """Return the next of `jobs` in the order of their ids; no one else changes them until the transaction ends."""
    return list(jobs.select_for_update().filter(pk__gt=after).order_by("pk")[:limit])


def store(jobs: Sequence[Job], *, source: str, destination: str, now: datetime) -> Stored:
    """Store jobs of the database `source` in `destination`, each with its attempts, unless they are there.

    To be called in a transaction on each. Raise JobExists for an id that belongs to another job.
    """
    there = Job.objects.using(destination).in_bulk([job.pk for job in jobs])
    standings = {job.pk: standing(job, there.get(job.pk)) for job in jobs}
    refuse_conflicts(standings)
    _delete([there[id_] for id_, found in standings.items() if found is Standing.STALE], destination)
    copies = [job for job in jobs if standings[job.pk] in (Standing.MISSING, Standing.STALE)]
    owners = _adopt({job.supervisor_id for job in copies} - {None}, source, destination, now)
    for job in copies:
        job.supervisor_id = owners.get(job.supervisor_id)
    for part in _parts(copies):
        Job.objects.using(destination).bulk_create(part)
    ids = [job.pk for job in copies]
    return Stored(ids=frozenset(ids), attempts=_copy_attempts(ids, source, destination))


def leave_behind(jobs: Sequence[Job], *, source: str, place: str, now: datetime) -> None:
    """Cancel in `source` what was handed over to `place`: a worker that is started there by mistake finds nothing.

    Raise WrongState if they are no longer as they were; the destination has them then, and a repeated move finds that.
    """
    ids = [job.pk for job in jobs if job.state in HANDED_OVER]
    waiting = Job.objects.using(source).filter(pk__in=ids, state__in=sorted(HANDED_OVER))
    error = f"{MOVED_PREFIX}{place}"
    if waiting.update(state=State.CANCELLED, supervisor=None, finished_at=now, error=error) != len(ids):
        raise WrongState("jobs were changed while they were moved; repeat the command")


def _delete(jobs: Sequence[Job], using: str) -> None:
    """Delete stale copies, to be replaced."""
    for job in jobs:
        same = Job.objects.using(using).filter(pk=job.pk, state=job.state, fence=job.fence)
        Attempt.objects.using(using).filter(job=job.pk).delete()
        if not same.delete()[0]:
            raise WrongState(f"{job.pk} was changed while it was moved; repeat the command")


def _adopt(ids: Iterable[Any], source: str, destination: str, now: datetime) -> dict[int | None, int]:
    """Copy dead supervisors that hold jobs, unless they were; return the destination's id of each.

    The first supervisor that is started there takes the jobs back from them, by the rule for all lost ones.
    """
    adopted: dict[int | None, int] = {}
    for row in Supervisor.objects.using(source).filter(pk__in=ids):
        id_, copies = row.pk, Supervisor.objects.using(destination)
        same = copies.filter(marker=row.marker, started_at=row.started_at, host=row.host, pid=row.pid)
        there = same.values_list("pk", flat=True).first()
        if there is None:
            row.pk, row.lost_at = None, None if row.stopped_at else row.lost_at or now
            row.save(using=destination, force_insert=True)
            there = row.pk
        adopted[id_] = there
    return adopted


def _copy_attempts(ids: Sequence[str], source: str, destination: str) -> int:
    """Copy all attempts of these jobs; return how many."""
    here = Attempt.objects.using(source)
    keys = list(here.filter(job__in=ids).order_by("job", "fence").values_list("pk", flat=True)) if ids else []
    for start in range(0, len(keys), ATTEMPTS_PER_READ):
        attempts = list(here.filter(pk__in=keys[start : start + ATTEMPTS_PER_READ]).order_by("job", "fence"))
        for attempt in attempts:
            attempt.pk = None
        for part in _parts(attempts):
            Attempt.objects.using(destination).bulk_create(part)
    return len(keys)


def _parts(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Split rows into statements of bearable size."""
    part: list[Row] = []
    size = 0
    for row in rows:
        part.append(row)
        size += _size(row)
        if size > INSERT_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _size(row: Job | Attempt) -> int:
    texts = (
        (row.command, row.error, row.env, row.args, row.kwargs)
        if isinstance(row, Job)
        else (row.error, row.traceback, row.output_head, row.output_tail)
    )
    return sum(len(text if isinstance(text, str) else repr(text)) for text in texts if text)


def copy_settings(*, source: str, destination: str) -> tuple[list[str], list[str]]:
    """Copy the settings and pauses of the queues that have none in the destination, with their history.

    Return the names that were copied, and those whose own settings there differ and stay.
    """
    there = {row.queue: row for row in Config.objects.using(destination)}
    rows = list(Config.objects.using(source).order_by("queue"))
    missing = [row for row in rows if row.queue not in there]
    kept = [row.queue for row in rows if row.queue in there and _values(row) != _values(there[row.queue])]
    copied = [row.queue for row in missing]
    Config.objects.using(destination).bulk_create(missing)
    for name in copied:
        _copy_changes(name, source, destination)
    return copied, kept


def _copy_changes(queue: str, source: str, destination: str) -> None:
    """Copy who changed what of a queue: a thousand rows at most."""
    changes = list(ConfigChange.objects.using(source).filter(queue=queue).order_by("pk"))
    for change in changes:
        change.pk = None
    ConfigChange.objects.using(destination).bulk_create(changes)


def _values(row: Config) -> list[Any]:
    return [getattr(row, field.attname) for field in Config._meta.concrete_fields]


def copy_counters(*, source: str, destination: str, after: int, limit: int) -> tuple[int, int | None]:
    """Copy the counters that follow the one with the id `after`; those that exist in the destination stay.

    Return how many were copied, and the id of the last one that was looked at; None: there are no more.
    """
    rows = list(Counter.objects.using(source).filter(pk__gt=after).order_by("pk")[:limit])
    if not rows:
        return 0, None
    last = rows[-1].pk
    same_minutes = Counter.objects.using(destination).filter(minute__in={row.minute for row in rows})
    there = set(same_minutes.values_list("minute", "queue", "writer"))
    missing = [row for row in rows if (row.minute, row.queue, row.writer) not in there]
    for row in missing:
        row.pk = None
    Counter.objects.using(destination).bulk_create(missing)
    return len(missing), last


def is_same_database(*, source: str, destination: str) -> bool:
    """Tell whether two names lead to one database: write a row through the one, and look for it through the other.

    A move onto itself would find every job there already, and cancel them all.
    """
    # A minute that no statistic looks at and the next prune deletes, should this process die in between.
    long_ago = datetime(1970, 1, 1, tzinfo=UTC)
    sign = Counter.objects.using(source).create(minute=long_ago, queue=f"move-{uuid.uuid4().hex}", writer=0)
    try:
        return Counter.objects.using(destination).filter(minute=long_ago, queue=sign.queue).exists()
    finally:
        sign.delete(using=source)


def mark_dead(supervisor: Supervisor, *, using: str, now: datetime) -> bool:
    """Take a supervisor of the database `using` for dead, unless it has just given a sign of life."""
    silent = Supervisor.objects.using(using).filter(pk=supervisor.pk, beats=supervisor.beats)
    return bool(silent.filter(stopped_at__isnull=True, lost_at__isnull=True).update(lost_at=now))
