"""Counters per minute: what dashboards and metrics read instead of counting jobs."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jobs import histogram
from jobs.database import connection
from jobs.models import Counter
from jobs.outcome import Claim
from jobs.queue._turn import Recorded
from jobs.states import State

LATE = timedelta(hours=1)  # how long after its minute something may still be added to it
CounterKey = tuple[datetime, str]  # the minute and the queue

_KEY = ("minute", "queue", "writer")
_COLUMNS = ("enqueued", "completed", "failed", "dead", "run_histogram", "wait_histogram")


@dataclass(slots=True)
class Counts:
    """One minute of one queue, as one supervisor saw it."""

    enqueued: int = 0
    completed: int = 0
    failed: int = 0
    dead: int = 0
    run_histogram: list[int] = field(default_factory=histogram.empty)
    wait_histogram: list[int] = field(default_factory=histogram.empty)


def count(
    *,
    recorded: Sequence[Recorded],
    claims: Sequence[Claim],
    known: Mapping[CounterKey, Counts],
    writer: int,
    now: datetime,
) -> dict[CounterKey, Counts]:
    """Add what happened in this transaction to its minutes, store those, and return them.

    `known` holds what this writer stored lately and is not touched: the transaction may yet fail. A job counts as
    enqueued when it is first claimed, in the minute in which it was enqueued. What is older than an hour counts in the
    minute an hour ago: minutes of before are folded, and a row of theirs that came back would be counted twice.
    """
    changed: dict[CounterKey, Counts] = {}
    earliest = now - LATE

    def counts(moment: datetime, queue: str) -> Counts:
        key = (max(moment, earliest).replace(second=0, microsecond=0), queue)
        if key not in changed:
            changed[key] = deepcopy(known[key]) if key in known else _stored(key, writer)
        return changed[key]

    for claim in claims:
        if claim.fence == 1:
            counts(claim.enqueued_at, claim.queue).enqueued += 1
        histogram.add(counts(claim.claimed_at, claim.queue).wait_histogram, _waited_seconds(claim))
    for item in recorded:
        if item.outcome is not None:
            _add_end(counts(item.outcome.finished_at, item.claim.queue), item)
    _store(changed, writer)
    return changed


def _waited_seconds(claim: Claim) -> float:
    return max(0.0, (claim.claimed_at - claim.run_at).total_seconds())


def _add_end(counts: Counts, item: Recorded) -> None:
    assert item.outcome is not None
    histogram.add(counts.run_histogram, item.outcome.run_seconds)
    if item.state is State.COMPLETED:
        counts.completed += 1
    elif item.state is State.FAILED:
        counts.failed += 1
    elif item.state is State.DEAD:
        counts.dead += 1


def _stored(key: CounterKey, writer: int) -> Counts:
    minute, queue = key
    row = Counter.objects.filter(minute=minute, queue=queue, writer=writer).values(*_COLUMNS).first()
    return Counts(**row) if row else Counts()


def _store(changed: Mapping[CounterKey, Counts], writer: int) -> None:
    rows = [
        Counter(minute=minute, queue=queue, writer=writer, **{name: getattr(counts, name) for name in _COLUMNS})
        for (minute, queue), counts in changed.items()
    ]
    # MariaDB takes whatever unique key conflicts, and must not be told which.
    unique = _KEY if connection.features.supports_update_conflicts_with_target else None
    Counter.objects.bulk_create(rows, update_conflicts=True, unique_fields=unique, update_fields=_COLUMNS)
