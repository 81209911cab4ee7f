"""Adding jobs."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction

from jobs import conf, signing, sql
from jobs.database import atomic, connection
from jobs.errors import InvalidInput, JobExists
from jobs.fields import json_text
from jobs.models import Job
from jobs.new_job import NewJob
from jobs.queue._again import again_after_conflict
from jobs.queue._announce import announce
from jobs.queue._relieve import relieve
from jobs.states import Kind, State

INSERT_BATCH_JOBS = 500  # rows in one INSERT: past this the time per row no longer falls
IDS_PER_LOOKUP = 500  # well under the 32,766 parameters of SQLite's default build


class Receipt(NamedTuple):
    """What the queue settled for a job that it stored; the rest is as it was asked for."""

    id: str
    state: State
    signature: str | None
    run_at: datetime
    enqueued_at: datetime


def enqueue(new: NewJob, *, now: datetime) -> Job:
    """Store one job and return it. It is safe once the surrounding transaction, if any, has committed.

    Raise JobExists if its id is taken; the existing job is left as it is.
    """
    return _job(new, enqueue_for_receipt(new, now=now))


def enqueue_many(news: Sequence[NewJob], *, now: datetime, advance: Callable[[int], object] | None = None) -> list[Job]:
    """Store all of them or none, in order. Raise InvalidInput if an id stands twice, JobExists if one is taken.

    `advance` is told how many each statement stored; they are safe only when this function returns.
    """
    receipts = enqueue_for_receipts(news, now=now, advance=advance)
    return [_job(new, receipt) for new, receipt in zip(news, receipts, strict=True)]


@again_after_conflict
def enqueue_for_receipt(new: NewJob, *, now: datetime) -> Receipt:
    """Do as `enqueue`, without the cost of a model instance."""
    receipt = _receipt(new, now)
    (row,) = _rows([new], [receipt])
    # One statement needs no savepoint. If it fails, the caller's transaction must not be taken for a whole one.
    with transaction.mark_for_rollback_on_error(using=conf.database_alias()):
        is_stored = sql.for_connection(connection).insert_job(connection, row)
    if not is_stored:
        raise JobExists(f"{receipt.id} exists already; nothing was changed")
    announce([new.queue])
    relieve()
    return receipt


@again_after_conflict
def enqueue_for_receipts(
    news: Sequence[NewJob], *, now: datetime, advance: Callable[[int], object] | None = None
) -> list[Receipt]:
    """Do as `enqueue_many`, without the cost of model instances."""
    receipts = _receipts(news, now)
    _refuse_repeated([receipt.id for receipt in receipts])
    rows = _rows(news, receipts)
    try:
        with atomic():
            for start in range(0, len(rows), INSERT_BATCH_JOBS):
                part = rows[start : start + INSERT_BATCH_JOBS]
                sql.for_connection(connection).insert_jobs(connection, part)
                if advance is not None:
                    advance(len(part))
    except IntegrityError:
        taken = _taken([new.id for new in news if new.id is not None])
        if not taken:
            raise
        raise JobExists(f"{_listed(taken)} exist already; nothing was stored") from None
    announce({new.queue for new in news})
    relieve()
    return receipts


def _receipts(news: Sequence[NewJob], now: datetime) -> list[Receipt]:
    """Let them run in the order in which they stand: new ids do; where there are others, a microsecond apart."""
    if all(new.id is None for new in news):
        return [_receipt(new, now) for new in news]
    return [_receipt(new, now + timedelta(microseconds=place)) for place, new in enumerate(news)]


def _receipt(new: NewJob, now: datetime) -> Receipt:
    id_, run_at = new.id or new_id(), new.run_at or now
    state = State.SCHEDULED if run_at > now else State.PENDING
    signature = None
    if new.kind == Kind.SHELL:
        assert new.command is not None
        signature = signing.sign(id=id_, command=new.command, uses_shell=new.uses_shell, cwd=new.cwd, env=new.env)
    elif new.task is not None and new.task in signing.SIGNED_TASKS:
        signature = signing.sign_task(id=id_, task=new.task, args=new.args, kwargs=new.kwargs)
    return Receipt(id_, state, signature, run_at, now)


def _rows(news: Iterable[NewJob], receipts: Iterable[Receipt]) -> list[Sequence[Any]]:
    """Return what is stored, in the order of `JOB_COLUMNS`."""
    times = _AdaptedTimes()
    return [
        (
            receipt.id,
            new.kind.value,
            new.queue,
            receipt.state.value,
            new.priority,
            new.command,
            new.uses_shell,
            new.cwd,
            json_text(new.env),
            receipt.signature,
            new.task,
            json_text(new.args),
            json_text(new.kwargs),
            new.backend,
            new.max_retries,
            new.backoff_base,
            new.backoff_max_seconds,
            new.timeout_seconds,
            times[receipt.run_at],
            times[receipt.enqueued_at],
            0,
            0,
            0,
        )
        for new, receipt in zip(news, receipts, strict=True)
    ]


class _AdaptedTimes(dict[datetime, Any]):
    """Times as the database takes them. A job that is due now has the same twice, and those of a bulk may share it."""

    __slots__ = ()

    def __missing__(self, moment: datetime) -> Any:
        self[moment] = adapted = connection.ops.adapt_datetimefield_value(moment)
        return adapted


def _job(new: NewJob, receipt: Receipt) -> Job:
    """Return the instance that would be read back."""
    job = Job(**new._asdict() | receipt._asdict())
    job._state.adding, job._state.db = False, conf.database_alias()
    return job


def new_id() -> str:
    """Return a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits.

    Within a process each is greater than the one before (section 6.2, method 2), so that jobs of one moment run in the
    order in which they were enqueued.
    """
    global _last_id
    milliseconds = time.time_ns() // 1_000_000 & (1 << 48) - 1
    value = milliseconds << 80 | int.from_bytes(os.urandom(10)) & RANDOM_BITS | VERSION_AND_VARIANT
    with _id_lock:
        _last_id = value = max(value, _last_id + 1)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


VERSION_AND_VARIANT = 0x7 << 76 | 0b10 << 62
RANDOM_BITS = (1 << 12) - 1 << 64 | (1 << 62) - 1
_id_lock = threading.Lock()
_last_id = 0


def _refuse_repeated(ids: Sequence[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    repeated = [id_ for id_ in ids if id_ in seen or seen.add(id_)]  # type: ignore[func-returns-value]
    raise InvalidInput("id", f"{_listed(repeated)} stand there more than once")


def _taken(ids: Sequence[str]) -> list[str]:
    """Return those of `ids` that exist, in their order."""
    taken: set[str] = set()
    for start in range(0, len(ids), IDS_PER_LOOKUP):
        taken.update(Job.objects.filter(pk__in=ids[start : start + IDS_PER_LOOKUP]).values_list("pk", flat=True))
    return [id_ for id_ in ids if id_ in taken]


def _listed(ids: Sequence[str], limit: int = 3) -> str:
    more = f" and {len(ids) - limit} more" if len(ids) > limit else ""
    return ", ".join(ids[:limit]) + more
