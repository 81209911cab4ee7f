"""The store thread: the only database connection the queue needs on this machine, one transaction after another."""

import logging
import math
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db import InterfaceError, OperationalError, connection, connections, transaction

from jobs import queue, sql
from jobs.outcome import Claim, Outcome, Output
from jobs.states import State
from jobs.supervisor.desk import Desk, Wishes
from jobs.supervisor.rescuing import Rescuer

logger = logging.getLogger("jobs.supervisor")

POLL_SECONDS = 0.003  # between two looks at whether anything changed, while a worker is free and it may have
ALERT_SECONDS = 0.2  # of such looks after a write: it comes before its commit, which takes the disk's time to sync
BUSY_POLL_SECONDS = 0.1  # … while none is: only requests to cancel or stop can matter
BATCH_SECONDS = 0.02  # how long an end or a claim may wait for company; see DESIGN, "Batches follow the work"
RECORD_MAX = 1_000  # ends in one transaction
LOOK_SECONDS = 1.0  # between two looks at other supervisors, settings and requests; no wake-up is lost for longer
REQUESTS_SECONDS = 0.2  # … when the database did change
PRUNE_SECONDS = 60.0
PRUNE_SHARE = 0.1  # of the store's time at most: thousands of jobs a second
HEARTBEATS_PER_LEASE = 6
HEARTBEAT_SECONDS_MAX = 10.0
BACK_OFF_SECONDS = (0.005, 0.5)  # after the first failed turn, and after many
PATIENCE_SECONDS = 10.0  # a database that is busy for less is not worth a line in the log
REGISTER_SECONDS = 30.0  # how long a starting supervisor waits for a busy database
COUNTS_KEPT = 500  # minutes in memory; an older one is read again when it is needed


class _LeaseLostError(Exception):
    """Another supervisor took this one for dead."""


class Store(threading.Thread):
    def __init__(self, *, desk: Desk, description: dict[str, Any], queues: tuple[str, ...] | None) -> None:
        super().__init__(name="store", daemon=True)
        self._desk = desk
        self._description = description
        self._queues = queues
        self._lease_seconds: float = description["lease_seconds"]
        self._beat_seconds = min(HEARTBEAT_SECONDS_MAX, self._lease_seconds / HEARTBEATS_PER_LEASE)
        self._failures = 0
        self._failing_since = 0.0
        self._is_outage = False  # and that has been said
        self._suspects = 0  # how many ends are recorded one by one, after they failed together
        self._completed_count = 0
        self._pruning: Iterator[int] = iter(())
        self._next_prune = time.monotonic() + PRUNE_SECONDS
        self.is_finished = False

    def register_patiently(self) -> int:
        """Register, also when many others do so at the same moment. Raise what the database raises."""
        deadline = time.monotonic() + REGISTER_SECONDS
        dialect = sql.for_connection(connection)
        dialect.prepare(connection)
        while True:
            try:
                return self.register()
            except OperationalError as error:
                if not dialect.is_busy(error) or time.monotonic() > deadline:
                    raise
            self._failures = 1
            time.sleep(self._back_off_seconds())

    def register(self) -> int:
        """Announce this supervisor and return its id. Raise what the database raises."""
        now = datetime.now(UTC)
        row = queue.register(**self._description, started_at=now, heartbeat_at=now)
        self._id = row.pk
        self._rescuer = Rescuer(row.pk)
        self._policies = queue.load_policies(now=now)
        self._desk.renewed = time.monotonic()
        self._next_beat = self._next_look = self._next_requests = self._last_turn = 0.0
        self._token: int | None = None  # of the last state of the database that was looked at
        self._alert_until = 0.0  # a commit of somebody else may come at any moment until then
        self._may_have_work = True
        self._next_due_at: datetime | None = None
        self._counts: dict[queue.CounterKey, queue.Counts] = {}  # of the last minutes, as stored under this id
        self._is_registered = True
        self._failures = 0
        return self._id

    def run(self) -> None:
        self._token = sql.for_connection(connection).change_token(connection)  # opens the files that are watched
        self._watch = sql.for_connection(connection).watch(connection)
        try:
            while not self.is_finished:
                self._wait()
                self._guarded_step()
        finally:
            connections.close_all()

    def _wait(self) -> None:
        """Wait for the control thread, for a commit of somebody else, or for the next thing to do."""
        wishes = self._desk.wishes
        if wishes.room <= 0 or self._may_have_work or self._failures:
            self._desk.wait(self._pause_seconds(wishes, BUSY_POLL_SECONDS))
        elif self._watch is None or time.monotonic() < self._alert_until:
            self._desk.wait(self._pause_seconds(wishes, POLL_SECONDS))
        else:
            self._desk.wait(self._pause_seconds(wishes, LOOK_SECONDS), self._watch)
            if self._watch.clear():
                self._alert_until = time.monotonic() + ALERT_SECONDS

    def _pause_seconds(self, wishes: Wishes, most_seconds: float) -> float:
        if self._failures:
            return self._back_off_seconds()
        seconds = self._seconds_to_turn(wishes, now=datetime.now(UTC), clock=time.monotonic())
        return min(most_seconds, seconds)

    def _seconds_to_turn(self, wishes: Wishes, *, now: datetime, clock: float) -> float:
        """Return how long the next turn may wait. While every worker has work in hand, batches may grow."""
        is_urgent = wishes.is_hungry or wishes.is_closing
        moments = [self._next_beat, self._next_look]
        if self._desk.has_unrecorded:
            moments.append(clock if is_urgent else self._desk.unrecorded_since + BATCH_SECONDS)
        if wishes.room > 0:
            wait_seconds = 0.0 if self._may_have_work else self._seconds_to_due(now)
            moments.append(max(clock + wait_seconds, clock if is_urgent else self._last_turn + BATCH_SECONDS))
        return max(0.0, min(moments) - clock)

    def _seconds_to_due(self, now: datetime) -> float:
        return math.inf if self._next_due_at is None else (self._next_due_at - now).total_seconds()

    def _back_off_seconds(self) -> float:
        first, last = BACK_OFF_SECONDS
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - keeps supervisors apart, protects nothing
        return spread * min(last, first * 2.0 ** min(self._failures, 10))

    def _guarded_step(self) -> None:
        """Take one step; whatever goes wrong, the thread lives, and what ended waits on the desk."""
        try:
            self._step()
        except _LeaseLostError:
            self._give_up_lease()
        except (OperationalError, InterfaceError) as error:
            self._note_failure(error)
        except Exception:
            logger.exception("a turn failed")
            self._isolate()
            self._failures += 1
        else:
            self._note_success()

    def _step(self) -> None:
        if not self._is_registered:
            self._start_over()
        now = datetime.now(UTC)
        clock = time.monotonic()
        wishes = self._desk.wishes
        self._notice_changes(now)
        if self._seconds_to_turn(wishes, now=now, clock=clock) == 0 and self._has_reason(now=now, clock=clock):
            self._turn(wishes, now=now, clock=clock)
        if clock >= self._next_look or (self._may_have_work and clock >= self._next_requests):
            self._look(now=now, clock=clock)
        if wishes.is_closing:
            self._close(now)

    def _close(self, now: datetime) -> None:
        self._desk.return_unread_claims()
        if not self._desk.has_unrecorded:
            queue.mark_stopped(supervisor_id=self._id, now=now)
            self.is_finished = True

    def _notice_changes(self, now: datetime) -> None:
        token = sql.for_connection(connection).change_token(connection)
        if token != self._token:
            self._token = token
            self._policies = queue.load_policies(now=now)  # before the next claim: a pause holds from its commit on
            self._may_have_work = True
            self._alert_until = 0.0

    def _turn(self, wishes: Wishes, *, now: datetime, clock: float) -> None:
        """Make one transaction: sign of life, what ended, what runs, what is next."""
        ended, room = self._desk.look_at_ended(1 if self._suspects else RECORD_MAX), wishes.room
        is_beat = clock >= self._next_beat
        self._last_turn = clock
        with transaction.atomic():
            if is_beat:
                self._beat(wishes, now)
            recorded = queue.record(
                ended, policies=self._policies, host=self._description["host"], now=now, chance=random.random
            )
            claims = self._claim(room, now) if room > 0 else []
            counts = queue.count(recorded=recorded, claims=claims, known=self._counts, writer=self._id)
        self._settle(ended, recorded, counts)
        self._desk.put_claims(claims)
        if is_beat:
            self._next_beat, self._desk.renewed = clock + self._beat_seconds, clock
        if room > len(claims):
            self._may_have_work = False
            self._next_due_at = queue.next_due_at()
            if not claims and not ended:
                self._desk.put_dry()

    def _has_reason(self, *, now: datetime, clock: float) -> bool:
        return clock >= self._next_beat or self._desk.has_unrecorded or self._finds_work(now)

    def _finds_work(self, now: datetime) -> bool:
        """Look before taking the write lock: of many supervisors that one new job wakes, one needs it."""
        if queue.open_queues(queues=self._queues, policies=self._policies):
            return True
        self._next_due_at = queue.next_due_at()
        if self._seconds_to_due(now) <= 0:
            return True
        self._may_have_work = False
        self._desk.put_dry()
        return False

    def _beat(self, wishes: Wishes, now: datetime) -> None:
        if not queue.heartbeat(
            supervisor_id=self._id, workers=wishes.workers, completed_count=self._completed_count, now=now
        ):
            raise _LeaseLostError

    def _claim(self, room: int, now: datetime) -> list[Claim]:
        queue.promote(now=now)
        return queue.claim(supervisor_id=self._id, queues=self._queues, limit=room, policies=self._policies, now=now)

    def _settle(
        self, ended: list[queue.Ended], recorded: list[queue.Recorded], counts: dict[queue.CounterKey, queue.Counts]
    ) -> None:
        """What the transaction stored is true now: forget what was waiting for it, and say what happened."""
        self._desk.clear_ended(len(ended))
        self._suspects = max(0, self._suspects - len(ended))
        if len(self._counts) > COUNTS_KEPT:
            self._counts.clear()
        self._counts |= counts
        self._completed_count += sum(item.state is State.COMPLETED for item in recorded)
        if any(item.state in (State.PENDING, State.FAILED) for item in recorded):
            self._may_have_work = True
        queue.log(recorded)
        if len(recorded) < len(ended):
            logger.warning("lease lost on %s jobs: another supervisor has them; dropped", len(ended) - len(recorded))

    def _look(self, *, now: datetime, clock: float) -> None:
        """See to what is not urgent: settings, requests of people, running attempts, dead supervisors, old jobs."""
        self._next_requests = clock + REQUESTS_SECONDS
        self._policies = queue.load_policies(now=now)
        self._note_running()
        if cancels := queue.cancels_asked(supervisor_id=self._id):
            self._desk.put_cancels(cancels)
        requests = queue.requests(supervisor_id=self._id)
        if requests.stop:
            self._desk.put_stop(requests.stop_grace_seconds)
        if clock >= self._next_look:
            self._next_look = clock + LOOK_SECONDS
            if self._watch is not None:
                self._watch.renew()
            self._may_have_work = True
            self._rescuer.rescue(now=now)
            if self._rescuer.is_eldest:
                sql.for_connection(connection).maintain(connection)
            self._prune(now=now, clock=clock)

    def _note_running(self) -> None:
        notes = self._desk.take_running()
        if not notes:
            return
        with transaction.atomic():  # one sync to disk for all
            for running in notes:
                queue.note_running(
                    running.claim,
                    pid=running.pid,
                    started_at=running.started_at,
                    output=running.output,
                    host=self._description["host"],
                )

    def _prune(self, *, now: datetime, clock: float) -> None:
        """Delete old jobs, if it is time, for a moment; the rest waits for the next look."""
        if clock >= self._next_prune:
            self._next_prune = clock + PRUNE_SECONDS
            self._pruning = queue.prune(policies=self._policies, now=now)
            queue.forget_old(now=now)
        until = clock + PRUNE_SHARE * LOOK_SECONDS
        while time.monotonic() < until and next(self._pruning, None):
            pass

    def _note_failure(self, error: OperationalError | InterfaceError) -> None:
        """Be ready to try again. Say so once, and not for a database that is merely busy for a moment."""
        clock = time.monotonic()
        if not self._failures:
            self._failing_since = clock
        is_busy = sql.for_connection(connection).is_busy(error)
        # Longer pauses after each try would let those who come late go first, while many want the lock.
        self._failures = 1 if is_busy else self._failures + 1
        if not self._is_outage and (not is_busy or clock - self._failing_since > PATIENCE_SECONDS):
            self._is_outage = True
            logger.warning("database unavailable, will go on trying: %s", error)
        if not is_busy:
            connection.close()

    def _note_success(self) -> None:
        if self._is_outage:
            logger.warning("database available again after %.1f s", time.monotonic() - self._failing_since)
        self._failures, self._is_outage = 0, False

    def _isolate(self) -> None:
        """Record one by one what failed together; an outcome that fails alone is recorded without its details."""
        ended = self._desk.look_at_ended(RECORD_MAX)
        if self._suspects and ended and ended[0].outcome is not None:
            self._desk.replace_first_ended(replace(ended[0], outcome=_bare(ended[0].outcome)))
        self._suspects = self._suspects or len(ended)

    def _give_up_lease(self) -> None:
        """Have everything ended that runs under the lost name."""
        logger.error("lease lost id=%s: another supervisor took this one for dead; ending its jobs", self._id)
        self._desk.put_lease_lost()
        self._is_registered = False

    def _start_over(self) -> None:
        """Come back under a new name once the control thread has cleaned up."""
        self._desk.fresh_start.wait()
        self.register()
        logger.info("supervisor started over id=%s", self._id)


def _bare(outcome: Outcome) -> Outcome:
    """Return an outcome without the texts that could not be stored."""
    return replace(outcome, error="its outcome could not be stored whole", traceback=None, output=Output())
