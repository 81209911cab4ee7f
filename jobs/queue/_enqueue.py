"""Adding jobs."""

import secrets
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from jobs import signing
from jobs.errors import InvalidInput, JobExists
from jobs.models import Job
from jobs.new_job import NewJob
from jobs.states import Kind, State

INSERT_BATCH_JOBS = 500  # rows in one INSERT: past this the time per row no longer falls
IDS_PER_LOOKUP = 500  # well under the 32,766 parameters of SQLite's default build


def enqueue(new: NewJob, *, now: datetime) -> Job:
    """Store one job and return it. It is safe once the surrounding transaction, if any, has committed.

    Raise JobExists if its id is taken; the existing job is left as it is.
    """
    job = _job(new, now)
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError:
        if not Job.objects.filter(pk=job.pk).exists():
            raise
        raise JobExists(f"{job.pk} exists already; nothing was changed") from None
    return job


def enqueue_many(news: Sequence[NewJob], *, now: datetime, advance: Callable[[int], object] | None = None) -> list[Job]:
    """Store all of them or none, in order. Raise InvalidInput if an id stands twice, JobExists if one is taken.

    `advance` is told how many each statement stored; they are safe only when this function returns.
    """
    # A microsecond apart, so that they run in the order in which they stand, whatever their ids.
    jobs = [_job(new, now + timedelta(microseconds=place)) for place, new in enumerate(news)]
    _refuse_repeated([job.pk for job in jobs])
    try:
        with transaction.atomic():
            for start in range(0, len(jobs), INSERT_BATCH_JOBS):
                stored = Job.objects.bulk_create(jobs[start : start + INSERT_BATCH_JOBS])
                if advance is not None:
                    advance(len(stored))
    except IntegrityError:
        taken = _taken([new.id for new in news if new.id is not None])
        if not taken:
            raise
        raise JobExists(f"{_listed(taken)} exist already; nothing was stored") from None
    return jobs


def _job(new: NewJob, now: datetime) -> Job:
    run_at = new.run_at or now
    job = Job(
        id=new.id or new_id(),
        kind=new.kind,
        queue=new.queue,
        state=State.SCHEDULED if run_at > now else State.PENDING,
        priority=new.priority,
        command=new.command,
        uses_shell=new.uses_shell,
        cwd=new.cwd,
        env=new.env,
        task=new.task,
        args=new.args,
        kwargs=new.kwargs,
        max_retries=new.max_retries,
        timeout_seconds=new.timeout_seconds,
        run_at=run_at,
        enqueued_at=now,
    )
    if new.kind == Kind.SHELL:
        assert new.command is not None
        job.signature = signing.sign(
            id=job.id, command=new.command, uses_shell=new.uses_shell, cwd=new.cwd, env=new.env
        )
    return job


def new_id() -> str:
    """Return a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits.

    Within a process each is greater than the one before (section 6.2, method 2), so that jobs of one moment run in the
    order in which they were enqueued.
    """
    global _last_id
    random_bits = secrets.randbits(74)
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (random_bits >> 62) << 64
    value |= 0b10 << 62 | random_bits & (1 << 62) - 1
    with _id_lock:
        _last_id = value = max(value, _last_id + 1)
    return str(uuid.UUID(int=value))


_id_lock = threading.Lock()
_last_id = 0


def _refuse_repeated(ids: Sequence[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    repeated = [id_ for id_ in ids if id_ in seen or seen.add(id_)]  # type: ignore[func-returns-value]
    raise InvalidInput("id", f"{_listed(repeated)} stand there more than once")


def _taken(ids: Sequence[str]) -> list[str]:
    taken: list[str] = []
    for start in range(0, len(ids), IDS_PER_LOOKUP):
        taken += Job.objects.filter(pk__in=ids[start : start + IDS_PER_LOOKUP]).values_list("pk", flat=True)
    return taken


def _listed(ids: Sequence[str], limit: int = 3) -> str:
    more = f" and {len(ids) - limit} more" if len(ids) > limit else ""
    return ", ".join(ids[:limit]) + more
