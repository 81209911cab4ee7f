"""How long the oldest due job of each queue has been waiting."""

from dataclasses import dataclass
from datetime import datetime

from jobs import sql
from jobs.database import connection
from jobs.models import Job
from jobs.sql import conditions
from jobs.states import State

OVERDUE_MAX = 10_000  # rows, of all queues together; a supervisor that lives promotes them within a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The oldest due job of a queue: since when it could have run."""

    since: datetime
    seconds: float


def oldest_waits(*, now: datetime) -> dict[str, Wait]:
    """Return the oldest wait of every queue that has due work: pending, or deferred and not yet promoted."""
    oldest = {queue: _oldest_pending(queue) for queue in sql.for_connection(connection).pending_queues(connection)}
    overdue = Job.objects.filter(conditions.DEFERRED, run_at__lte=now).order_by("run_at")
    for queue, run_at in overdue.values_list("queue", "run_at")[:OVERDUE_MAX]:
        oldest[queue] = min(oldest.get(queue) or run_at, run_at)
    return {
        queue: Wait(since=since, seconds=max(0.0, (now - since).total_seconds()))
        for queue, since in oldest.items()
        if since is not None
    }


def _oldest_pending(queue: str) -> datetime | None:
    """Return the earliest run_at, stepping through the index from one priority to the next: 201 steps at the most."""
    ordered = Job.objects.filter(state=State.PENDING, queue=queue).order_by("-priority", "run_at", "pk")
    rest = ordered.values_list("priority", "run_at")
    oldest: datetime | None = None
    row = rest.first()
    while row is not None:
        priority, run_at = row
        oldest = run_at if oldest is None else min(oldest, run_at)
        row = rest.filter(priority__lt=priority).first()
    return oldest
