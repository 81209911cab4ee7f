"""One line per queue: what is in it, what it did in the last hour, whether it is paused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs import moments
from jobs.models import ALL_QUEUES, Config, ConfigChange
from jobs.states import State
from jobs.stats._counts import CappedCount, Counts
from jobs.stats._totals import totals_by_queue
from jobs.stats._waits import Wait

RECENT = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A queue hands out nothing. `until` of None: until someone resumes it; `by` of None: nobody knows any more."""

    since: datetime
    until: datetime | None
    reason: str | None
    by: str | None = None

    @property
    def text(self) -> str:
        """How it is, to follow the name of the queue: `paused by deploy@web1 since … until …: provider is down`."""
        by = f" by {self.by}" if self.by else ""
        until = f" until {moments.absolute(self.until)}" if self.until else ""
        because = f": {self.reason}" if self.reason else ""
        return f"paused{by} since {moments.absolute(self.since)}{until}{because}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """A queue at one moment. `failed` waits for its next attempt; the `recent_` numbers are of the last hour."""

    name: str
    pending: CappedCount
    scheduled: CappedCount
    failed: CappedCount
    processing: CappedCount
    dead: CappedCount
    oldest_wait_seconds: float | None
    pause: Pause | None
    recent_completed: int
    recent_failed: int
    recent_dead: int


def pauses(*, now: datetime) -> dict[str, Pause]:
    """Return the queues that are paused at `now`."""
    rows = Config.objects.filter(paused_at__isnull=False).exclude(queue=ALL_QUEUES)
    paused = {row.queue: row for row in rows if row.is_paused(now)}
    owners = _owners(paused) if paused else {}
    return {
        name: Pause(since=row.paused_at, until=row.paused_until, reason=row.paused_reason, by=owners.get(name))
        for name, row in paused.items()
        if row.paused_at is not None
    }


def _owners(paused: Mapping[str, Config]) -> dict[str, str]:
    """Return who paused these queues: whoever the history names for that moment."""
    paused_at = [row.paused_at for row in paused.values() if row.paused_at is not None]
    changes = ConfigChange.objects.filter(
        queue__in=paused, key=ConfigChange.PAUSED, after__isnull=False, changed_at__in=paused_at
    )
    return {
        change.queue: change.changed_by
        for change in changes.order_by("pk")
        if change.changed_at == paused[change.queue].paused_at
    }


def queues(*, counts: Counts, waits: Mapping[str, Wait], now: datetime) -> list[QueueView]:
    """Return every queue that has jobs, settings of its own, or a past hour."""
    recent = totals_by_queue(since=now - RECENT, now=now)
    paused = pauses(now=now)
    configured = Config.objects.exclude(queue=ALL_QUEUES).values_list("queue", flat=True)
    names = sorted(counts.queues | waits.keys() | recent.keys() | set(configured))
    return [
        QueueView(
            name=name,
            pending=counts.in_queue(name, State.PENDING),
            scheduled=counts.in_queue(name, State.SCHEDULED),
            failed=counts.in_queue(name, State.FAILED),
            processing=counts.in_queue(name, State.PROCESSING),
            dead=counts.in_queue(name, State.DEAD),
            oldest_wait_seconds=waits[name].seconds if name in waits else None,
            pause=paused.get(name),
            recent_completed=recent[name].completed if name in recent else 0,
            recent_failed=recent[name].failed if name in recent else 0,
            recent_dead=recent[name].dead if name in recent else 0,
        )
        for name in names
    ]
