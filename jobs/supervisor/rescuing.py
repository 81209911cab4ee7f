"""Looking after other supervisors: noticing that one has died, and taking back its jobs."""

import logging
import time
from datetime import datetime

from jobs import identities, processes, queue, sql
from jobs.database import connection
from jobs.models import Supervisor

logger = logging.getLogger("jobs.supervisor")

KILL_SECONDS = 2.0  # for what a dead supervisor's workers left; they normally end themselves within milliseconds


class Rescuer:
    """Watches the others' heartbeats. Silence is measured on this machine's monotonic clock, so clocks may disagree."""

    def __init__(self, supervisor_id: int) -> None:
        self._supervisor_id = supervisor_id
        self.is_eldest = False  # of the supervisors that live: the one that does what only one should
        self._seen: dict[int, tuple[int, float]] = {}  # id: the beats last seen, and since when they are the same

    def rescue(self, *, now: datetime) -> int:
        """Take back the jobs of dead supervisors; return how many."""
        others = queue.live_others(supervisor_id=self._supervisor_id)
        self._seen = {other.pk: self._seen[other.pk] for other in others if other.pk in self._seen}
        self.is_eldest = all(other.pk > self._supervisor_id for other in others)
        for other in others:
            if self._is_dead(other) and queue.mark_lost(supervisor_id=other.pk, beats=other.beats, now=now):
                logger.warning("supervisor lost id=%s host=%s pid=%s", other.pk, other.host, other.pid)
        rescued = 0
        for gone in queue.gone_with_jobs():
            rescued += len(queue.rescue(supervisor=gone, now=now))
        return rescued

    def _is_dead(self, other: Supervisor) -> bool:
        identity = identities.Identity(machine=other.machine, pid=other.pid, started=other.process_started)
        if identities.is_alive(identity) is False:
            # Before its jobs may start again, whatever is left of them must be gone.
            processes.kill_marked(other.marker, timeout_seconds=KILL_SECONDS)
            return True
        if sql.for_connection(connection).IS_LOCAL and identities.is_from_before_this_boot(other.machine):
            return True
        return self._silent_seconds(other) > other.lease_seconds

    def _silent_seconds(self, other: Supervisor) -> float:
        now = time.monotonic()
        beats, since = self._seen.get(other.pk, (None, now))
        if beats != other.beats:
            since = now
        self._seen[other.pk] = (other.beats, since)
        return now - since
