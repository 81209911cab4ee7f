"""The supervisors, and which of them can be relied on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from jobs import identities
from jobs.models import Job, Supervisor
from jobs.states import State

LATE_SHARE = 1 / 3  # of the lease: silent for so long is no pause of a busy database any more, and not yet the end


class Liveness(StrEnum):
    """What is known of a supervisor."""

    ALIVE = "alive"  # heard from
    LATE = "late"  # silent for longer than it should be: frozen, or cut off from the database
    GONE = "gone"  # its process is dead, it was silent past its lease, or its jobs were taken from it
    STOPPED = "stopped"  # ended as asked


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorView:
    """One run of `worker start`. `queues` of None: every queue. `workers` are as of the last heartbeat."""

    id: int
    host: str
    pid: int
    version: str
    queues: tuple[str, ...] | None
    worker_count: int
    thread_count: int
    started_at: datetime
    heartbeat_at: datetime
    stopped_at: datetime | None
    silent_seconds: float
    liveness: Liveness
    is_stopping: bool
    workers: tuple[dict[str, Any], ...]
    completed_count: int

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    @property
    def running_ids(self) -> list[str]:
        """The jobs its workers had in hand at the last heartbeat."""
        return [id_ for worker in self.workers for id_ in worker.get("jobs", ())]

    def serves(self, queue: str) -> bool:
        """Tell whether it can be expected to claim jobs of `queue`."""
        return self.is_serving and (self.queues is None or queue in self.queues)

    @property
    def is_living(self) -> bool:
        """Whether its process can be presumed to run, heard from or late."""
        return self.liveness in (Liveness.ALIVE, Liveness.LATE)

    @property
    def is_serving(self) -> bool:
        """Whether it can be expected to claim jobs at all."""
        return self.liveness is Liveness.ALIVE and not self.is_stopping


def supervisors(*, now: datetime) -> list[SupervisorView]:
    """Return all supervisors that are remembered, the youngest first; stopped and gone ones stay for a day."""
    return [_view(row, now) for row in Supervisor.objects.order_by("-started_at", "-pk")]


def serving(views: Iterable[SupervisorView], queue: str) -> list[SupervisorView]:
    """Return those that can be expected to claim jobs of `queue`."""
    return [view for view in views if view.serves(queue)]


def orphans(*, now: datetime) -> set[str]:
    """Return the jobs in the hands of supervisors that are gone; one that lives takes them back within seconds."""
    living = [view.id for view in supervisors(now=now) if view.is_living]
    return set(Job.objects.filter(state=State.PROCESSING).exclude(supervisor__in=living).values_list("pk", flat=True))


def _view(row: Supervisor, now: datetime) -> SupervisorView:
    return SupervisorView(
        id=row.pk,
        host=row.host,
        pid=row.pid,
        version=row.version,
        queues=None if row.queues is None else tuple(row.queues),
        worker_count=row.worker_count,
        thread_count=row.thread_count,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        stopped_at=row.stopped_at,
        silent_seconds=_silent_seconds(row, now),
        liveness=liveness(row, now=now),
        is_stopping=row.stop_requested_at is not None,
        workers=tuple(row.workers or ()),
        completed_count=row.completed_count,
    )


def liveness(row: Supervisor, *, now: datetime) -> Liveness:
    """Judge a supervisor by its row, its process if that is on this machine, and how long it was silent."""
    if row.stopped_at is not None:
        return Liveness.STOPPED
    if row.lost_at is not None:
        return Liveness.GONE
    silent_seconds = _silent_seconds(row, now)
    identity = identities.Identity(machine=row.machine, pid=row.pid, started=row.process_started)
    is_alive = identities.is_alive(identity)
    if is_alive is False or (is_alive is None and silent_seconds > row.lease_seconds):
        return Liveness.GONE
    return Liveness.LATE if silent_seconds > row.lease_seconds * LATE_SHARE else Liveness.ALIVE


def _silent_seconds(row: Supervisor, now: datetime) -> float:
    return max(0.0, (now - row.heartbeat_at).total_seconds())
