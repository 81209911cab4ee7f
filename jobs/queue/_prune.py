"""Deleting what is old and done with, a small transaction at a time."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import QuerySet

from jobs.database import atomic
from jobs.models import ALL_QUEUES, Attempt, Counter, Depth, Job, Undo
from jobs.queue._again import again_after_conflict
from jobs.queue._config import Policies
from jobs.sql import conditions
from jobs.states import FINAL

PRUNED_PER_TRANSACTION = 500  # some milliseconds of the write lock
UNDO_KEPT = timedelta(minutes=1)
COUNTERS_KEPT = timedelta(days=8)  # the longest window shown is seven days


def prune(*, policies: Policies, now: datetime, older_than_seconds: float | None = None) -> Iterator[int]:
    """Delete completed and cancelled jobs past their queue's retention; yield the number deleted by each transaction.

    `older_than_seconds` replaces every retention. Dead jobs stay: they are kept for a person. Stop iterating to stop.
    """
    for queues in _by_retention(policies, now, older_than_seconds):
        while deleted := again_after_conflict(delete_jobs)(queues[:PRUNED_PER_TRANSACTION]):
            yield deleted
    _prune_records(now)


@again_after_conflict
def _prune_records(now: datetime) -> None:
    """Delete what no page shows any more, and what can no longer be undone."""
    for model in (Counter, Depth):
        model.objects.filter(minute__lt=now - COUNTERS_KEPT).delete()
    Undo.objects.filter(at__lte=now - UNDO_KEPT).delete()


def _by_retention(policies: Policies, now: datetime, older_than_seconds: float | None) -> Iterator[QuerySet[Job]]:
    old = Job.objects.filter(conditions.DONE).order_by("finished_at", "pk")
    if older_than_seconds is not None:
        yield old.filter(finished_at__lt=now - timedelta(seconds=older_than_seconds))
        return
    own = [queue for queue, row in policies.rows.items() if queue != ALL_QUEUES and row.retention is not None]
    for queue in own:
        limit = now - timedelta(seconds=policies.value("retention", queue))
        yield old.filter(queue=queue, finished_at__lt=limit)
    limit = now - timedelta(seconds=policies.value("retention", ALL_QUEUES))
    yield old.filter(finished_at__lt=limit).exclude(queue__in=own)


@atomic()
def delete_jobs(jobs: QuerySet[Job]) -> int:
    """Delete these jobs and their attempts; return how many. The rows must be in a final state."""
    ids = list(jobs.select_for_update().values_list("pk", flat=True))
    Attempt.objects.filter(job__in=ids).delete()
    return Job.objects.filter(pk__in=ids, state__in=sorted(FINAL)).delete()[0]
