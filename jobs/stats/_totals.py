"""What happened in a window of time, summed from the per-minute counters; the job table is not touched."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from jobs import histogram
from jobs.models import Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Jobs per event, and percentiles in seconds (None: nothing happened) of the time jobs waited and ran.

    `failed` counts failed attempts, `dead` jobs that gave up.
    """

    enqueued: int
    completed: int
    failed: int
    dead: int
    wait_p50_seconds: float | None
    wait_p95_seconds: float | None
    wait_p99_seconds: float | None
    run_p50_seconds: float | None
    run_p95_seconds: float | None
    run_p99_seconds: float | None


def totals(*, since: datetime, now: datetime, queue: str | None = None) -> Totals:
    """Return what happened between `since` and `now`, in `queue` or in all."""
    rows = Counter.objects.filter(minute__gte=since, minute__lte=now)
    return _sum(list(rows if queue is None else rows.filter(queue=queue)))


def count_completed(*, since: datetime, now: datetime) -> int:
    """Return how many jobs completed, added up by the database: a day has thousands of counters."""
    rows = Counter.objects.filter(minute__gte=since, minute__lte=now)
    return rows.aggregate(number=Sum("completed"))["number"] or 0


def totals_by_queue(*, since: datetime, now: datetime) -> dict[str, Totals]:
    """Return the same for every queue in which something happened."""
    by_queue: defaultdict[str, list[Counter]] = defaultdict(list)
    for row in Counter.objects.filter(minute__gte=since, minute__lte=now):
        by_queue[row.queue].append(row)
    return {queue: _sum(rows) for queue, rows in by_queue.items()}


def totals_over_time(*, since: datetime, now: datetime, step: timedelta) -> dict[datetime, Totals]:
    """Return the totals of every `step`, whole minutes, from `since` on: by the moment each begins, empty ones too."""
    by_step: defaultdict[int, list[Counter]] = defaultdict(list)
    for row in Counter.objects.filter(minute__gte=since, minute__lte=now):
        by_step[(row.minute - since) // step].append(row)
    return {since + place * step: _sum(by_step[place]) for place in range((now - since) // step + 1)}


def _sum(rows: Sequence[Counter]) -> Totals:
    waits = histogram.total([row.wait_histogram for row in rows])
    runs = histogram.total([row.run_histogram for row in rows])
    return Totals(
        enqueued=sum(row.enqueued for row in rows),
        completed=sum(row.completed for row in rows),
        failed=sum(row.failed for row in rows),
        dead=sum(row.dead for row in rows),
        wait_p50_seconds=histogram.percentile(waits, 0.5),
        wait_p95_seconds=histogram.percentile(waits, 0.95),
        wait_p99_seconds=histogram.percentile(waits, 0.99),
        run_p50_seconds=histogram.percentile(runs, 0.5),
        run_p95_seconds=histogram.percentile(runs, 0.95),
        run_p99_seconds=histogram.percentile(runs, 0.99),
    )
