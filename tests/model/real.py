"""The queue itself behind the operations of the reference model: the same arguments, the same results."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jobs import queue, stats
from jobs.database import atomic
from jobs.errors import QueueError
from jobs.models import Attempt, Job, Supervisor
from jobs.outcome import Claim, Outcome, Output
from jobs.states import Ending, State
from tests.factories import make_new_job, make_supervisor
from tests.model.reference import PID
from tests.model.rows import AttemptRow, Claimed, JobRow, Key, Recorded, Report, SupervisorRow, Turn, Undone

VERBS = {
    "requeue": queue.REQUEUE,
    "retry_dead": queue.RETRY_DEAD,
    "run_now": queue.RUN_NOW,
    "cancel": queue.CANCEL,
    "delete": queue.DELETE,
    "discard": queue.DISCARD,
}
LONG_AGO, LONG_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
SOMEONE = "ann"
EVENTS = ("enqueued", "completed", "failed", "dead")


class _LeaseLostError(Exception):
    """The supervisor was taken for dead: its transaction must not be kept."""


class Real:
    def __init__(self) -> None:
        self._ids: dict[int, int] = {}  # of the supervisors, by number
        self._claims: dict[Key, Claim] = {}

    # Settings.

    def set_knob(self, *, knob: str, value: float, queue_name: str | None, now: datetime) -> None:
        queue.set_knob(knob, value, queue=queue_name, by=SOMEONE, now=now)

    def unset_knob(self, *, knob: str, queue_name: str | None, now: datetime) -> bool:
        return queue.unset_knob(knob, queue=queue_name, by=SOMEONE, now=now)

    def pause(self, *, queue_name: str, until: datetime | None, now: datetime) -> None:
        queue.pause(queue_name, now=now, until=until, by=SOMEONE)

    def resume(self, *, queue_name: str, now: datetime) -> str | None:
        return _refusal(lambda: queue.resume(queue_name, now=now, by=SOMEONE))

    # Adding jobs.

    def enqueue(self, *, new: Mapping[str, Any], now: datetime) -> str | None:
        return _refusal(lambda: queue.enqueue(make_new_job(**new), now=now))

    def enqueue_many(self, *, news: Sequence[Mapping[str, Any]], now: datetime) -> str | None:
        return _refusal(lambda: queue.enqueue_many([make_new_job(**new) for new in news], now=now))

    # Supervisors.

    def register(self, *, number: int, now: datetime) -> None:
        self._ids[number] = make_supervisor(host=f"host{number}", pid=PID, heartbeat_at=now).pk

    def mark_lost(self, *, number: int, beats: int, now: datetime) -> bool:
        return queue.mark_lost(supervisor_id=self._ids[number], beats=beats, now=now)

    def mark_stopped(self, *, number: int, now: datetime) -> bool:
        return queue.mark_stopped(supervisor_id=self._ids[number], now=now)

    def forget_old(self, *, now: datetime) -> int:
        return queue.forget_old(now=now)

    # One turn of a supervisor, as its store makes it, and the parts that others make.

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
    ) -> Turn:
        policies = queue.load_policies(now=now)
        supervisor_id = self._ids[number]
        ended = [queue.Ended(self._claims[key], outcome) for key, outcome in ends]
        claims: list[Claim] = []
        try:
            with atomic():
                if is_beat and not self._beat(supervisor_id, now):
                    raise _LeaseLostError
                recorded = queue.record(ended, policies=policies, host=f"host{number}", now=now, chance=lambda: chance)
                if room > 0:
                    queue.promote(now=now)
                    claims = queue.claim(
                        supervisor_id=supervisor_id, queues=queues, limit=room, policies=policies, now=now
                    )
                queue.count(recorded=recorded, claims=claims, known={}, writer=supervisor_id, now=now)
        except _LeaseLostError:
            return Turn(recorded=[], claimed=[], is_lost=True)
        return Turn(recorded=self._recorded(recorded), claimed=[self._claimed(claim) for claim in claims])

    def _beat(self, supervisor_id: int, now: datetime) -> bool:
        return queue.heartbeat(supervisor_id=supervisor_id, workers=[], completed_count=0, now=now)

    def promote(self, *, now: datetime) -> int:
        with atomic():
            return queue.promote(now=now)

    def note_running(self, *, key: Key, pid: int, started_at: datetime) -> bool:
        host = f"host{key.supervisor}"
        return queue.note_running(self._claims[key], pid=pid, started_at=started_at, output=Output(), host=host)

    def rescue(self, *, now: datetime) -> list[Recorded]:
        gone = sorted(queue.gone_with_jobs(), key=lambda row: row.pk)
        return self._recorded([end for row in gone for end in queue.rescue(supervisor=row, now=now)])

    def _recorded(self, recorded: Sequence[queue.Recorded]) -> list[Recorded]:
        return [Recorded(self._key(end.claim), end.state) for end in recorded]

    def _claimed(self, claim: Claim) -> Claimed:
        key = self._key(claim)
        self._claims[key] = claim
        return Claimed(key, claim.attempt, claim.timeout_seconds, claim.queue_max_retries)

    def _key(self, claim: Claim) -> Key:
        return Key(claim.id, self._number(claim.supervisor_id), claim.fence)

    def _number(self, supervisor_id: int) -> int:
        return next(number for number, id_ in self._ids.items() if id_ == supervisor_id)

    # People.

    def verb(self, *, verb: str, ids: Sequence[str], now: datetime) -> Report:
        return _report(getattr(queue, verb)(ids, now=now))

    def undoable_verb(self, *, verb: str, ids: Sequence[str], action: str, now: datetime) -> Report:
        rule = queue.undoable(VERBS[verb], action=action, user=SOMEONE)
        return _report(queue.apply_together(rule, ids, now=now))

    def undo(self, *, action: str, now: datetime) -> Undone:
        undone = Undone(put_back=[], left={})
        for part in queue.undo(action=action, user=SOMEONE, now=now):
            undone.put_back += part.put_back
            undone.left |= part.left
        return Undone(put_back=sorted(undone.put_back), left=undone.left)

    def verb_on_all(self, *, verb: str, queue_name: str | None, now: datetime) -> int:
        jobs = Job.objects.all() if queue_name is None else Job.objects.filter(queue=queue_name)
        return sum(queue.apply_to_all(VERBS[verb], jobs, now=now))

    def change_settings(self, *, id_: str, fields: Mapping[str, Any], fence: int, now: datetime) -> str | None:
        return _refusal(lambda: queue.change_settings(id_, fields=fields, fence=fence, now=now))

    def change_and_requeue(self, *, id_: str, fields: Mapping[str, Any], fence: int, now: datetime) -> str | None:
        return _refusal(lambda: queue.change_and_requeue(id_, fields=fields, fence=fence, now=now))

    def prune(self, *, older_than_seconds: float | None, now: datetime) -> int:
        policies = queue.load_policies(now=now)
        return sum(queue.prune(policies=policies, now=now, older_than_seconds=older_than_seconds))

    def fold_counters(self, *, now: datetime) -> None:
        for _ in queue.fold_counters(now=now):
            pass

    # What people and supervisors ask.

    def next_due_at(self) -> datetime | None:
        return queue.next_due_at()

    def open_queues(self, *, now: datetime) -> set[str]:
        return set(queue.open_queues(queues=None, policies=queue.load_policies(now=now)))

    def cancels_asked(self, number: int) -> set[str]:
        return {id_ for id_, _ in queue.cancels_asked(supervisor_id=self._ids[number])}

    def held(self, number: int) -> list[Key]:
        return [Key(id_, number, fence) for id_, fence in queue.keys_held(supervisor_id=self._ids[number])]

    def counts(self) -> Counter[tuple[str, State]]:
        """Return what every reader of numbers is shown; no state here has more jobs than are counted."""
        return Counter({key: count.value for key, count in stats.count_jobs().by_queue.items()})

    def totals(self) -> Counter[tuple[str, str]]:
        """Return how often each event happened in each queue, by the counters."""
        by_queue = stats.totals_by_queue(since=LONG_AGO, now=LONG_AHEAD)
        totals = {(name, event): getattr(total, event) for name, total in by_queue.items() for event in EVENTS}
        return Counter({key: count for key, count in totals.items() if count})

    # The tables.

    def jobs(self) -> dict[str, JobRow]:
        return {job.pk: self._job_row(job) for job in Job.objects.all()}

    def _job_row(self, job: Job) -> JobRow:
        names = [name for name in JobRow.__slots__ if name not in ("state", "owner", "outcome")]
        return JobRow(
            **{name: getattr(job, name) for name in names},
            state=State(job.state),
            owner=None if job.supervisor_id is None else self._number(job.supervisor_id),
            outcome=None if job.outcome is None else Ending(job.outcome),
        )

    def attempts(self) -> dict[tuple[str, int], AttemptRow]:
        return {
            (row.job_id, row.fence): AttemptRow(
                **{name: getattr(row, name) for name in AttemptRow.__slots__ if name != "outcome"},
                outcome=None if row.outcome is None else Ending(row.outcome),
            )
            for row in Attempt.objects.all()
        }

    def supervisors(self) -> dict[int, SupervisorRow]:
        return {
            self._number(row.pk): SupervisorRow(
                heartbeat_at=row.heartbeat_at,
                beats=row.beats,
                is_lost=row.lost_at is not None,
                is_stopped=row.stopped_at is not None,
            )
            for row in Supervisor.objects.all()
        }


def _report(done: queue.Report) -> Report:
    return Report(changed=done.changed, refused={id_: type(why).__name__ for id_, why in done.refused.items()})


def _refusal(action: Callable[[], object]) -> str | None:
    """Do it; return the name of what it raises to refuse, if it does."""
    try:
        action()
    except QueueError as error:
        return type(error).__name__
    return None
