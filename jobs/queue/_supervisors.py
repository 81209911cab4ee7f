"""The supervisors' rows: announcing oneself, signs of life, requests to stop, and taking one for dead."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet

from jobs.models import Job, Supervisor
from jobs.queue._announce import announce
from jobs.states import State

KEEP_GONE = timedelta(days=1)  # a stopped or lost supervisor stays listed this long, for who looks the next morning


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What people have asked of a supervisor. `stop_grace_seconds` of None: its own grace."""

    stop: bool
    stop_grace_seconds: float | None


def register(**fields: Any) -> Supervisor:
    """Announce a supervisor."""
    return Supervisor.objects.create(**fields)


def heartbeat(*, supervisor_id: int, workers: list[dict[str, Any]], completed_count: int, now: datetime) -> bool:
    """Give a sign of life. False: this supervisor was taken for dead, and holds nothing any more."""
    row = Supervisor.objects.filter(pk=supervisor_id, lost_at__isnull=True)
    return bool(row.update(heartbeat_at=now, beats=F("beats") + 1, workers=workers, completed_count=completed_count))


def requests(*, supervisor_id: int) -> Requests:
    """Return what people have asked of a supervisor."""
    row = Supervisor.objects.filter(pk=supervisor_id).values_list("stop_requested_at", "stop_grace_seconds").first()
    asked_at, grace_seconds = row or (None, None)
    return Requests(stop=asked_at is not None, stop_grace_seconds=grace_seconds)


def mark_lost(*, supervisor_id: int, beats: int, now: datetime) -> bool:
    """Take a supervisor for dead unless it has given a sign of life since `beats`. Return whether this call did it."""
    silent = Supervisor.objects.filter(pk=supervisor_id, beats=beats, stopped_at__isnull=True, lost_at__isnull=True)
    return bool(silent.update(lost_at=now))


def mark_stopped(*, supervisor_id: int, now: datetime) -> bool:
    """Record a graceful end."""
    running = Supervisor.objects.filter(pk=supervisor_id, lost_at__isnull=True)
    return bool(running.update(stopped_at=now, workers=[]))


def request_stop(*, ids: list[int] | None, grace_seconds: float | None, now: datetime) -> list[int]:
    """Ask supervisors (None: all) to stop; return those asked. One that has ended meanwhile keeps none from it."""
    live = Supervisor.objects.filter(stopped_at__isnull=True, lost_at__isnull=True)
    wanted = live if ids is None else live.filter(pk__in=ids)
    asked = sorted(wanted.values_list("pk", flat=True))
    live.filter(pk__in=asked).update(stop_requested_at=now, stop_grace_seconds=grace_seconds)
    announce()
    return asked


def forget_old(*, now: datetime) -> int:
    """Delete the rows of supervisors that are long gone and hold no job."""
    gone = Supervisor.objects.filter(Q(lost_at__isnull=False) | Q(stopped_at__isnull=False))
    return gone.filter(heartbeat_at__lt=now - KEEP_GONE).exclude(pk__in=_holding()).delete()[0]


def live_others(*, supervisor_id: int) -> list[Supervisor]:
    """Return the other supervisors that have neither stopped nor been taken for dead."""
    live = Supervisor.objects.filter(stopped_at__isnull=True, lost_at__isnull=True)
    return list(live.exclude(pk=supervisor_id).order_by("pk"))


def gone_with_jobs() -> list[Supervisor]:
    """Return the supervisors that stopped or were taken for dead, and whose jobs have not all been taken back."""
    gone = Supervisor.objects.filter(Q(lost_at__isnull=False) | Q(stopped_at__isnull=False))
    return list(gone.filter(pk__in=_holding()))


def _holding() -> QuerySet[Job, Any]:
    return Job.objects.filter(state=State.PROCESSING, supervisor__isnull=False).values("supervisor")
