"""The store thread: the only database connection the queue needs on this machine, one transaction after another."""

import logging
import math
import random
import threading
import time
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import Error, connections

from jobs import clock, conf, queue, schema, sql
from jobs.database import atomic, connection
from jobs.errors import DatabaseUnavailable
from jobs.outcome import Claim
from jobs.sql.lifeline import Deadline, Lifeline
from jobs.sql.waking import DatabaseReplacedError, Waker
from jobs.states import Ending, State
from jobs.supervisor.desk import Desk, Key, Wishes
from jobs.supervisor.housekeeping import Housekeeper
from jobs.supervisor.rescuing import Rescuer

logger = logging.getLogger("jobs.supervisor")

BUSY_SECONDS = 0.1  # between two looks for news while no worker is free: only requests to cancel or stop can matter
BATCH_SECONDS = 0.016  # how long an end or a claim may wait for company, after `control` let ends gather: 20 ms in all
BATCH_MAX_JOBS = 1_000  # ends in one transaction, and claims: no more of these, or ends would pile up unrecorded
# Texts of ends in one transaction. On a statement above 16 MiB, its default, MariaDB closes the connection: the same
# batch was sent again for ever. On its way a text may grow fourfold, quoted as JSON and then as SQL.
BATCH_MAX_CHARACTERS = 2_097_152
LOOK_SECONDS = 1.0  # between two looks at other supervisors, settings and requests; no wake-up is lost for longer
REQUESTS_SECONDS = 0.2  # … when there is news
CALL_SECONDS = 15.0  # for one step with a server that says nothing; then its connection is cut
HEARTBEATS_PER_LEASE = 6
IDLE_SHARE = 4  # of the lease within a transaction: who is silent for longer is frozen
HEARTBEAT_SECONDS_MAX = 10.0
BACK_OFF_SECONDS = (0.005, 0.5)  # after the first failed turn, and after many
PATIENCE_SECONDS = 10.0  # a database that is busy for less is not worth a line in the log
FRESH_START_SECONDS = 0.1  # between two looks whether there will be one
REGISTER_PAUSE_SECONDS = 0.2  # at most, between two tries to begin
REGISTER_SECONDS = 30.0  # how long a starting supervisor waits for a busy database
COUNTS_KEPT = 500  # minutes in memory; an older one is read again when it is needed


class _LeaseLostError(Exception):
    def __init__(self, supervisor_id: int) -> None:
        super().__init__(f"lease lost id={supervisor_id}: another supervisor took this one for dead")


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
        self._waker: Waker | None = None
        self._line = Lifeline()
        self._step_since: float | None = None  # monotonic time; None: no step is being taken
        self._storing: list[queue.Ended] = []  # what a turn is recording, or failed to record
        self._suspects = 0  # how many ends are recorded one by one, after they failed together
        self._completed_count = 0
        self._housekeeper = Housekeeper()
        self.is_finished = False

    def register_patiently(self) -> int:
        """Register, also when many others do so at the same moment.

        Raise what the database raises, or DatabaseUnavailable if it is silent, or its tables are older than this code.
        """
        deadline = time.monotonic() + REGISTER_SECONDS
        dialect = sql.for_connection(connection)
        self._prepare()
        if not dialect.IS_LOCAL:
            Deadline(seconds=CALL_SECONDS).guard(connections[conf.database_alias()])
        while True:
            try:
                sql.check(connection)
                if missing := schema.missing():
                    remedy = "bring it up to date with: queuectl initdb"
                    raise DatabaseUnavailable(
                        f"the database {sql.address(connection)} lacks {', '.join(missing)}; {remedy}"
                    )
                settings.SECRET_KEY  # noqa: B018 - one that is missing is refused now, not by each job in turn
                return self.register()
            except Error as error:
                may_wait = dialect.is_busy(error) or dialect.is_crowded(error)
                if not may_wait or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(0.5, 1.0) * REGISTER_PAUSE_SECONDS)  # noqa: S311 - keeps supervisors apart

    def register(self) -> int:
        """Announce this supervisor and return its id. Raise what the database raises."""
        clock.ask()
        now = clock.estimate()
        row = queue.register(**self._description, started_at=now, heartbeat_at=now)
        self._id = row.pk
        self._rescuer = Rescuer(row.pk)
        self._policies = queue.load_policies(now=now)
        self._desk.renewed = time.monotonic()
        self._next_beat = self._next_look = self._next_requests = self._last_turn = 0.0
        self._open: set[Key] = set()  # what was claimed and handed over, and is not recorded yet
        self._may_have_work = True
        self._next_due_at: datetime | None = None
        self._counts: dict[queue.CounterKey, queue.Counts] = {}  # of the last minutes, as stored under this id
        self._is_registered = True
        self._failures = 0
        return self._id

    def run(self) -> None:
        self._prepare()
        if not sql.for_connection(connection).IS_LOCAL:
            self._line.watch(connections[conf.database_alias()])
        try:
            while not self.is_finished:
                self._guarded_step()
        finally:
            self.hang_up()

    def _prepare(self) -> None:
        idle_seconds = self._lease_seconds / IDLE_SHARE
        sql.for_connection(connection).prepare(connection, idle_seconds=idle_seconds)

    def hang_up(self) -> None:
        """Close every connection of this thread, for good."""
        self._disconnect()
        self._line.close()

    def _disconnect(self) -> None:
        if self._waker is not None:
            self._waker.close()
            self._waker = None
        connections.close_all()

    def mind_silence(self) -> None:
        """Cut the connection of a step that takes too long. Called by the control thread."""
        since = self._step_since
        if since is not None and time.monotonic() - since > CALL_SECONDS:
            self._line.cut()

    def _wait(self) -> None:
        """Wait for the control thread, for news from the database, or for the next thing to do."""
        wishes = self._desk.wishes
        if self._waker is None or wishes.room <= 0 or self._may_have_work or self._failures:
            self._desk.wait(self._pause_seconds(wishes, BUSY_SECONDS))
        else:
            self._desk.wait(self._pause_seconds(wishes, self._waker.patience_seconds()), *self._waker.sources())

    def _pause_seconds(self, wishes: Wishes, most_seconds: float) -> float:
        if self._failures:
            return self._back_off_seconds()
        seconds = self._seconds_to_turn(wishes, now=clock.estimate(), instant=time.monotonic())
        return min(most_seconds, seconds)

    def _seconds_to_turn(self, wishes: Wishes, *, now: datetime, instant: float) -> float:
        """Return how long the next turn may wait. While every worker has work in hand, batches may grow."""
        is_urgent = wishes.is_hungry or wishes.is_closing
        moments = [self._next_beat, self._next_look]
        if self._desk.has_unrecorded:
            moments.append(instant if is_urgent else self._desk.unrecorded_since + BATCH_SECONDS)
        if wishes.room > 0:
            wait_seconds = 0.0 if self._may_have_work else self._seconds_to_due(now)
            moments.append(max(instant + wait_seconds, instant if is_urgent else self._last_turn + BATCH_SECONDS))
        return max(0.0, min(moments) - instant)

    def _seconds_to_due(self, now: datetime) -> float:
        return math.inf if self._next_due_at is None else (self._next_due_at - now).total_seconds()

    def _back_off_seconds(self) -> float:
        first, last = BACK_OFF_SECONDS
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - keeps supervisors apart, protects nothing
        return spread * min(last, first * 2.0 ** min(self._failures, 10))

    def _guarded_step(self) -> None:
        """Wait, and take one step; whatever goes wrong, the thread lives, and what ended waits on the desk."""
        self._storing = []
        try:
            self._wait()
            self._step_since = time.monotonic()
            self._step()
        except (_LeaseLostError, DatabaseReplacedError) as error:
            self._give_up(error)
        except Exception as error:
            self._counts.clear()  # to be read again: it may have been committed all the same
            if isinstance(error, Error) and sql.for_connection(connection).is_outage(error):
                self._note_failure(error)
            else:
                logger.exception("a turn failed: %s", error, exc_info=not self._failures)
                self._isolate()
                self._failures += 1
        else:
            self._note_success()
        finally:
            self._step_since = None

    def _step(self) -> None:
        if not self._is_registered:
            self._start_over()
        if self.is_finished:
            return
        if self._waker is None:
            self._waker = sql.for_connection(connection).waker(connection)
        now = clock.estimate()
        instant = time.monotonic()
        wishes = self._desk.wishes
        self._notice_changes(now)
        if self._seconds_to_turn(wishes, now=now, instant=instant) == 0 and self._has_reason(now=now, instant=instant):
            self._turn(wishes, now=now, instant=instant)
        if instant >= self._next_look or (self._may_have_work and instant >= self._next_requests):
            self._look(now=now, instant=instant)
        if wishes.is_closing:
            self._close(now)

    def _close(self, now: datetime) -> None:
        self._desk.return_unread_claims()
        if not self._desk.has_unrecorded:
            queue.mark_stopped(supervisor_id=self._id, now=now)
            self.is_finished = True

    def _notice_changes(self, now: datetime) -> None:
        if self._waker is not None and self._waker.has_news():
            self._policies = queue.load_policies(now=now)  # before the next claim: a pause holds from its commit on
            self._may_have_work = True

    def _give_back_unknown(self, now: datetime) -> None:
        """Release what is held under this id and nobody here knows of: the answer to the commit of its claim was lost.

        Such a commit may take effect much later, when a server wakes up again. So this is looked at all the time.
        """
        held = queue.keys_held(supervisor_id=self._id)
        if held <= self._open:
            return
        claims = queue.claims_held(supervisor_id=self._id, now=now)
        unknown = [claim for claim in claims if claim.key not in self._open]
        self._open |= {claim.key for claim in unknown}
        self._desk.put_ended([queue.Ended(claim=claim, outcome=None) for claim in unknown])

    def _turn(self, wishes: Wishes, *, now: datetime, instant: float) -> None:
        """Make one transaction: sign of life, what ended, what runs, what is next."""
        most = 1 if self._suspects else BATCH_MAX_JOBS
        ended = _by_the_queue_clock(self._look_at_ended(most), now=now, instant=instant)
        room = min(wishes.room, most)
        is_beat = instant >= self._next_beat
        self._last_turn = instant
        with atomic():
            if is_beat:
                self._beat(wishes, now)
            recorded = self._record(ended, now)
            claims = self._claim(room, now) if room > 0 else []
            counts = queue.count(recorded=recorded, claims=claims, known=self._counts, writer=self._id, now=now)
        self._settle(ended, recorded, counts)
        self._open |= {claim.key for claim in claims}
        self._desk.put_claims(claims)
        if is_beat:
            self._next_beat, self._desk.renewed = instant + self._beat_seconds, instant
        if room > 0 and not claims and not ended:  # what is pending, others are claiming at this moment
            self._may_have_work = False
            self._next_due_at = queue.next_due_at()

    def _has_reason(self, *, now: datetime, instant: float) -> bool:
        return instant >= self._next_beat or self._desk.has_unrecorded or self._finds_work(now)

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
            raise _LeaseLostError(self._id)

    def _look_at_ended(self, most: int) -> list[queue.Ended]:
        """Return less after each failure: what is too much for the server must not be sent for ever."""
        return self._desk.look_at_ended(most, max_characters=BATCH_MAX_CHARACTERS >> self._failures)

    def _record(self, ended: list[queue.Ended], now: datetime) -> list[queue.Recorded]:
        self._storing = ended
        recorded = queue.record(
            ended, policies=self._policies, host=self._description["host"], now=now, chance=random.random
        )
        self._storing = []
        return recorded

    def _claim(self, room: int, now: datetime) -> list[Claim]:
        queue.promote(now=now)
        return queue.claim(supervisor_id=self._id, queues=self._queues, limit=room, policies=self._policies, now=now)

    def _settle(
        self, ended: list[queue.Ended], recorded: list[queue.Recorded], counts: dict[queue.CounterKey, queue.Counts]
    ) -> None:
        """What the transaction stored is true now: forget what was waiting for it, and say what happened."""
        self._desk.clear_ended(len(ended))
        self._open -= {end.claim.key for end in ended}
        self._suspects = max(0, self._suspects - len(ended))
        if len(self._counts) > COUNTS_KEPT:
            self._counts.clear()
        self._counts |= counts
        self._completed_count += sum(item.state is State.COMPLETED for item in recorded)
        if any(item.state in (State.PENDING, State.FAILED) for item in recorded):
            self._may_have_work = True
        queue.log(recorded)
        if len(recorded) < len(ended):
            self._explain_missing(ended, recorded)

    def _explain_missing(self, ended: list[queue.Ended], recorded: list[queue.Recorded]) -> None:
        """Say of ends that could not be recorded why: they were before, or the job is in other hands."""
        found = {item.claim.key for item in recorded}
        missing = [end for end in ended if end.outcome is not None and end.claim.key not in found]
        before = queue.recorded_before(missing)
        self._completed_count += sum(end.outcome.ending is Ending.COMPLETED for end in before if end.outcome)
        if before:
            logger.info("%s ends were recorded already; the database's answer had been lost", len(before))
        if len(missing) > len(before):
            logger.warning("lease lost on %s jobs: another supervisor has them; dropped", len(missing) - len(before))

    def _look(self, *, now: datetime, instant: float) -> None:
        """See to what is not urgent: settings, requests of people, running attempts, dead supervisors, old jobs."""
        self._next_requests = instant + REQUESTS_SECONDS
        self._policies = queue.load_policies(now=now)
        self._note_running()
        if cancels := queue.cancels_asked(supervisor_id=self._id):
            self._desk.put_cancels(cancels)
        requests = queue.requests(supervisor_id=self._id)
        if requests.stop:
            self._desk.put_stop(requests.stop_grace_seconds)
        if instant >= self._next_look:
            self._next_look = instant + LOOK_SECONDS
            clock.ask()
            if self._waker is not None:
                self._waker.renew()
            self._may_have_work = True
            self._give_back_unknown(now)
            self._rescuer.rescue(now=now)
            self._housekeeper.keep(policies=self._policies, is_eldest=self._rescuer.is_eldest, now=now)

    def _note_running(self) -> None:
        notes = self._desk.take_running()
        if not notes:
            return
        with atomic():  # one sync to disk for all
            for running in notes:
                queue.note_running(
                    running.claim,
                    pid=running.pid,
                    started_at=running.started_at + clock.skew(),
                    output=running.output,
                    host=self._description["host"],
                )

    def _note_failure(self, error: Error) -> None:
        """Be ready to try again. Say so once, and not for a database that is merely busy for a moment."""
        instant = time.monotonic()
        if not self._failures:
            self._failing_since = instant
        is_busy = sql.for_connection(connection).is_busy(error)
        # Longer pauses after each try would let those who come late go first, while many want the lock.
        self._failures = 1 if is_busy else self._failures + 1
        if not self._is_outage and (not is_busy or instant - self._failing_since > PATIENCE_SECONDS):
            self._is_outage = True
            logger.warning("database unavailable, will go on trying: %s", error)
        if not is_busy:
            connection.close()
            self._next_beat = 0.0  # the next step writes: a database that can only be read is not back

    def _note_success(self) -> None:
        if self._is_outage:
            logger.warning("database available again after %.1f s", time.monotonic() - self._failing_since)
        self._failures, self._is_outage = 0, False

    def _isolate(self) -> None:
        """Record one by one what failed together; an outcome that fails alone is recorded without its details.

        Only the recording itself speaks against an outcome: one was lost to a housekeeper that could not write a file.
        """
        ended = self._storing
        if self._suspects and ended and ended[0].outcome is not None:
            self._desk.replace_first_ended(ended[0]._replace(outcome=ended[0].outcome.bare()))
        self._suspects = self._suspects or len(ended)

    def _give_up(self, reason: Exception) -> None:
        """Have everything ended that runs under a name, or for a database, that is no more."""
        logger.error("%s; ending its jobs", reason)
        self._disconnect()
        self._desk.put_lease_lost()
        self._is_registered = False

    def _start_over(self) -> None:
        """Come back under a new name once the control thread has cleaned up; or end, if that is what it wants."""
        while not self._desk.fresh_start.wait(FRESH_START_SECONDS):
            if self._desk.wishes.is_closing:
                self.is_finished = True
                return
        self.register()
        logger.info("supervisor started over id=%s", self._id)


def _by_the_queue_clock(ended: list[queue.Ended], *, now: datetime, instant: float) -> list[queue.Ended]:
    """Return the ends with the times of this machine translated to those of the queue."""
    return [
        end if end.outcome is None else end._replace(outcome=end.outcome.by_queue_clock(now=now, instant=instant))
        for end in ended
    ]
