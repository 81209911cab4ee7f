"""Everything a status page shows, read at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from jobs.stats._counts import Counts
from jobs.stats._health import Health, judge
from jobs.stats._queues import QueueView, pauses, queues
from jobs.stats._supervisors import SupervisorView, supervisors
from jobs.stats._waits import Wait, oldest_waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Counts, waits, queues, supervisors and the verdict on them."""

    now: datetime
    counts: Counts
    waits: Mapping[str, Wait]
    queues: list[QueueView]
    supervisors: list[SupervisorView]
    health: Health

    @property
    def oldest_wait_seconds(self) -> float | None:
        return max((wait.seconds for wait in self.waits.values()), default=None)

    @property
    def live_supervisors(self) -> list[SupervisorView]:
        """Those that run, heard from or late."""
        return [view for view in self.supervisors if view.is_living]


def status(*, counts: Counts, now: datetime, max_wait_seconds: float | None = None) -> Status:
    """Read the state of the queue; `counts` are what `count_jobs` or `count_jobs_exactly` returned."""
    waits = oldest_waits(now=now)
    views = supervisors(now=now)
    health = judge(
        counts=counts, waits=waits, paused=pauses(now=now), supervisors=views, max_wait_seconds=max_wait_seconds
    )
    return Status(
        now=now,
        counts=counts,
        waits=waits,
        queues=queues(counts=counts, waits=waits, now=now),
        supervisors=views,
        health=health,
    )
