"""How many jobs wait and run, noted once a minute: of the past, the one thing that counters of events do not tell."""

from datetime import datetime

from jobs import sql
from jobs.database import connection
from jobs.models import DEPTH_MAX, Depth, Job
from jobs.states import State


def note_depth(*, now: datetime) -> None:
    """Keep how many jobs wait and run in all queues, unless that was noted in this minute."""
    depth = Depth(
        minute=now.replace(second=0, microsecond=0),
        pending=_count_pending(),
        processing=Job.objects.filter(state=State.PROCESSING)[:DEPTH_MAX].count(),
    )
    Depth.objects.bulk_create([depth], ignore_conflicts=True)


def _count_pending() -> int:
    room = DEPTH_MAX
    for queue in sql.for_connection(connection).pending_queues(connection):
        if room:
            room -= Job.objects.filter(state=State.PENDING, queue=queue)[:room].count()
    return DEPTH_MAX - room
