"""The rules of the queue said a second time, as plainly as they can be: no database, and nothing of `queue` or `retry`.

Each method is one operation and has its twin in `real.Real`, which takes the same arguments and returns the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from jobs.outcome import Advice, Outcome
from jobs.states import Ending, State
from tests.model.people import DEFERRED, FINAL, WAITING, People
from tests.model.rows import AttemptRow, Claimed, JobRow, Key, Recorded, SupervisorRow, Turn

COUNTED = {State.COMPLETED: "completed", State.FAILED: "failed", State.DEAD: "dead"}
PID = 4_000  # of every supervisor


class Reference(People):
    def __init__(self, *, postponements_max: int) -> None:
        super().__init__()
        self._postponements_max = postponements_max
        self.supervisors: dict[int, SupervisorRow] = {}

    # Adding jobs.

    def enqueue(self, *, new: Mapping[str, object], now: datetime) -> str | None:
        if new["id"] in self.jobs:
            return "JobExists"
        self._add(new, now)
        return None

    def enqueue_many(self, *, news: Sequence[Mapping[str, object]], now: datetime) -> str | None:
        ids = [new["id"] for new in news]
        if len(set(ids)) < len(ids):
            return "InvalidInput"
        if any(id_ in self.jobs for id_ in ids):
            return "JobExists"
        for place, new in enumerate(news):
            self._add(new, now + timedelta(microseconds=place))
        return None

    def _add(self, new: Mapping[str, object], now: datetime) -> None:
        fields = {"run_at": now} | {name: value for name, value in new.items() if value is not None}
        state = State.SCHEDULED if fields["run_at"] > now else State.PENDING  # type: ignore[operator]
        unset = dict.fromkeys(("max_retries", "backoff_base", "backoff_max_seconds", "timeout_seconds"))
        row = JobRow(**({"state": state, "enqueued_at": now} | unset | fields))  # type: ignore[arg-type]
        self.jobs[row.id] = row

    # Supervisors.

    def register(self, *, number: int, now: datetime) -> None:
        self.supervisors[number] = SupervisorRow(heartbeat_at=now)

    def mark_lost(self, *, number: int, beats: int, now: datetime) -> bool:
        row = self.supervisors[number]
        if row.is_gone or row.beats != beats:
            return False
        row.is_lost = True
        return True

    def mark_stopped(self, *, number: int, now: datetime) -> bool:
        row = self.supervisors[number]
        row.is_stopped = not row.is_lost
        return row.is_stopped

    def forget_old(self, *, now: datetime) -> int:
        old = [
            number
            for number, row in self.supervisors.items()
            if row.is_gone and row.heartbeat_at < now - timedelta(days=1) and not self.held(number)
        ]
        for number in old:
            del self.supervisors[number]
        return len(old)

    def held(self, number: int) -> list[Key]:
        return [Key(row.id, number, row.fence) for row in self.jobs.values() if row.owner == number]

    # One turn of a supervisor, and the parts that others make.

    def turn(
        self,
        *,
        number: int,
        ends: Sequence[tuple[Key, Outcome | None]],
        room: int,
        queues: Sequence[str] | None,
        is_beat: bool,
        now: datetime,
        chance: float,
        passed_over: Sequence[str] = (),
    ) -> Turn:
        """`passed_over` are jobs that someone else has locked at this moment: neither promoted nor claimed."""
        row = self.supervisors.get(number)
        if is_beat:
            if row is None or row.is_lost:
                return Turn(recorded=[], claimed=[], is_lost=True)
            row.heartbeat_at, row.beats = now, row.beats + 1
        recorded = [end for key, outcome in ends if (end := self._record(key, outcome, now, chance))]
        claimed: list[Claimed] = []
        if room > 0:
            self.promote(now=now, passed_over=passed_over)
            claimed = self._claim(number, room, queues, now, passed_over)
        return Turn(recorded=recorded, claimed=claimed)

    def promote(self, *, now: datetime, passed_over: Sequence[str] = ()) -> int:
        due = [
            row
            for row in self.jobs.values()
            if row.state in DEFERRED and row.run_at <= now and row.id not in passed_over
        ]
        for row in due:
            row.state = State.PENDING
        return len(due)

    def _claim(
        self, number: int, room: int, queues: Sequence[str] | None, now: datetime, passed_over: Sequence[str]
    ) -> list[Claimed]:
        pending = [
            row
            for row in self.jobs.values()
            if row.state is State.PENDING
            and (queues is None or row.queue in queues)
            and not self.is_paused(row.queue, now)
            and row.id not in passed_over
        ]
        pending.sort(key=lambda row: (-row.priority, row.run_at, row.id))
        return [self._take(row, number, now) for row in pending[:room]]

    def _take(self, row: JobRow, number: int, now: datetime) -> Claimed:
        row.state, row.owner, row.claimed_at, row.started_at = State.PROCESSING, number, now, None
        row.fence, row.attempts = row.fence + 1, row.attempts + 1
        if row.fence == 1:
            self._count(row, "enqueued", row.enqueued_at, now)
        own = row.timeout_seconds
        timeout = (self.value("timeout", row.queue) if own is None else own) or None
        limit = int(self.value("max_retries", row.queue))
        return Claimed(Key(row.id, number, row.fence), row.attempts, timeout, limit)

    def _record(self, key: Key, outcome: Outcome | None, now: datetime, chance: float) -> Recorded | None:
        row = self.owned(key)
        if row is None:
            return None
        number, is_cancel_asked = row.attempts, row.cancel_requested_at is not None
        if outcome is None:
            state, row.started_at = State.PENDING, None
            row.attempts -= 1
        else:
            state = self._outcome(row, outcome, chance)
            self._write_attempt(key, outcome, number)
        if is_cancel_asked and state is not State.COMPLETED:
            state = State.CANCELLED
        row.state, row.owner = state, None
        row.finished_at = (now if outcome is None else outcome.finished_at) if state in FINAL else None
        if outcome is not None and state in COUNTED:
            self._count(row, COUNTED[state], outcome.finished_at, now)
        return Recorded(key, state)

    def _outcome(self, row: JobRow, outcome: Outcome, chance: float) -> State:
        """Write how an attempt ended, and return what that makes of its job."""
        row.outcome, row.exit_code, row.error = outcome.ending, outcome.exit_code, outcome.error
        row.started_at = outcome.started_at
        if outcome.ending is Ending.COMPLETED:
            return State.COMPLETED
        if outcome.ending is Ending.CANCELLED:
            return State.CANCELLED
        if outcome.ending is Ending.RELEASED:
            row.attempts -= 1
            return State.PENDING
        if outcome.advice is Advice.NEVER:
            return State.DEAD
        if outcome.advice is Advice.LATER and row.postponements < self._postponements_max:
            row.attempts, row.postponements = row.attempts - 1, row.postponements + 1
            return self._retry(row, outcome, row.postponements, chance)
        limit = self.value("max_retries", row.queue) if row.max_retries is None else row.max_retries
        if row.attempts > limit:
            return State.DEAD
        return self._retry(row, outcome, row.attempts, chance)

    def _retry(self, row: JobRow, outcome: Outcome, number: int, chance: float) -> State:
        wait = self.backoff_seconds(row, number) * (1 + self.value("jitter", row.queue) * chance)
        if outcome.advice is Advice.AT_ONCE:
            wait = 0
        elif outcome.delay_seconds is not None:
            wait = outcome.delay_seconds
        row.run_at = outcome.finished_at + timedelta(seconds=wait)
        return State.FAILED

    def backoff_seconds(self, row: JobRow, number: int) -> float:
        base = self.value("backoff_base", row.queue) if row.backoff_base is None else row.backoff_base
        own = row.backoff_max_seconds
        return min(base**number, self.value("backoff_max", row.queue) if own is None else own)

    def _write_attempt(self, key: Key, outcome: Outcome, number: int) -> None:
        self.attempts[key.id, key.fence] = AttemptRow(
            number=number,
            host=f"host{key.supervisor}",
            pid=outcome.pid,
            started_at=outcome.started_at,
            finished_at=outcome.finished_at,
            outcome=outcome.ending,
            exit_code=outcome.exit_code,
            error=outcome.error,
        )

    def note_running(self, *, key: Key, pid: int, started_at: datetime) -> bool:
        row = self.owned(key)
        if row is None:
            return False
        row.started_at = started_at
        self.attempts[key.id, key.fence] = AttemptRow(
            number=row.attempts, host=f"host{key.supervisor}", pid=pid, started_at=started_at
        )
        return True

    def owned(self, key: Key) -> JobRow | None:
        """Return the job if that claim still holds."""
        row = self.jobs.get(key.id)
        return row if row is not None and (row.owner, row.fence) == (key.supervisor, key.fence) else None

    def _count(self, row: JobRow, event: str, moment: datetime, now: datetime) -> None:
        moment = max(moment, now - timedelta(hours=1))
        self.counters[moment.replace(second=0, microsecond=0), row.queue, event] += 1

    def rescue(self, *, now: datetime) -> list[Recorded]:
        """Take back what supervisors hold that are gone."""
        gone = [number for number, row in self.supervisors.items() if row.is_gone]
        keys = [key for number in sorted(gone) for key in sorted(self.held(number))]
        ends = [self._record(key, self._lost(key, now), now, 0.0) for key in keys]
        return [end for end in ends if end is not None]

    def _lost(self, key: Key, now: datetime) -> Outcome:
        row, running = self.jobs[key.id], self.attempts.get((key.id, key.fence))
        assert row.claimed_at is not None
        return Outcome(
            ending=Ending.LOST,
            advice=Advice.AT_ONCE,
            started_at=row.started_at or row.claimed_at,
            finished_at=now,
            run_seconds=0.0,
            pid=running.pid if running else None,
            error=f"its supervisor (host{key.supervisor}:{PID}) died",
        )

    def fold_counters(self, *, now: datetime) -> None:
        """Forget the minutes within ten of what is older than two hours."""
        before = _slot(now - timedelta(hours=2))
        for minute, queue, event in [key for key in self.counters if key[0] < before]:
            self.counters[_slot(minute), queue, event] += self.counters.pop((minute, queue, event))

    # What people and supervisors ask.

    def claimable(self, now: datetime) -> set[str]:
        """Return the jobs that a claim of this moment may take or pass over."""
        waiting = (row for row in self.jobs.values() if row.state in WAITING)
        return {row.id for row in waiting if row.state is State.PENDING or row.run_at <= now}

    def next_due_at(self) -> datetime | None:
        return min((row.run_at for row in self.jobs.values() if row.state in DEFERRED), default=None)

    def open_queues(self, *, now: datetime) -> set[str]:
        pending = {row.queue for row in self.jobs.values() if row.state is State.PENDING}
        return {queue for queue in pending if not self.is_paused(queue, now)}

    def cancels_asked(self, number: int) -> set[str]:
        return {row.id for row in self.jobs.values() if row.owner == number and row.cancel_requested_at}

    def counts(self) -> Counter[tuple[str, State]]:
        return Counter((row.queue, row.state) for row in self.jobs.values())

    def totals(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for (_, queue, event), count in self.counters.items():
            found[queue, event] += count
        return found


def _slot(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 10 * 10, second=0, microsecond=0)
