"""What people do to jobs, and what pruning does, as the reference model has it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Any

from jobs.states import State
from tests.model.rows import AttemptRow, JobRow, Kept, Report, Undone
from tests.model.settings import Settings

WAITING = (State.SCHEDULED, State.PENDING, State.FAILED)
DEFERRED = (State.SCHEDULED, State.FAILED)
FINAL = (State.COMPLETED, State.DEAD, State.CANCELLED)
APPLIES_TO = {
    "requeue": FINAL,
    "retry_dead": (State.DEAD,),
    "run_now": DEFERRED,
    "cancel": (*WAITING, State.PROCESSING),
    "delete": FINAL,
    "discard": (State.DEAD,),
}
UNDOABLE = ("requeue", "retry_dead", "cancel")
UNDO_KEPT = timedelta(minutes=1)


class People(Settings):
    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, JobRow] = {}
        self.attempts: dict[tuple[str, int], AttemptRow] = {}
        self.counters: Counter[tuple[datetime, str, str]] = Counter()  # by minute, queue and event
        self.kept: defaultdict[str, dict[str, Kept]] = defaultdict(dict)  # by action and id

    def verb(self, *, verb: str, ids: Sequence[str], now: datetime) -> Report:
        report = Report(changed=[], refused={})
        for id_ in dict.fromkeys(ids):
            row = self.jobs.get(id_)
            if row is None:
                report.refused[id_] = "NotFound"
            elif row.state not in APPLIES_TO[verb]:
                report.refused[id_] = "WrongState"
            else:
                self._apply(verb, row, now)
                report.changed.append(id_)
        return report

    def undoable_verb(self, *, verb: str, ids: Sequence[str], action: str, now: datetime) -> Report:
        before = {id_: copy(self.jobs[id_]) for id_ in ids if id_ in self.jobs}
        report = self.verb(verb=verb, ids=ids, now=now)
        for id_ in report.changed:
            if before[id_].state is not State.PROCESSING:
                self.kept[action][id_] = Kept(before[id_], copy(self.jobs[id_]), now)
        return report

    def undo(self, *, action: str, now: datetime) -> Undone:
        """Put back what is still as the verb left it."""
        undone = Undone(put_back=[], left={})
        for id_, kept in sorted(self.kept.pop(action, {}).items()):
            if kept.at <= now - UNDO_KEPT:
                continue
            if why := self._why_not(id_, kept):
                undone.left[id_] = why
            else:
                self.jobs[id_] = copy(kept.before)
                undone.put_back.append(id_)
        return undone

    def _why_not(self, id_: str, kept: Kept) -> str | None:
        row = self.jobs.get(id_)
        if row is None:
            return "gone"
        if row.fence > kept.left.fence:
            return "started"
        return None if row == kept.left else "changed"

    def verb_on_all(
        self, *, verb: str, queue_name: str | None, now: datetime, among: Collection[str] | None = None
    ) -> int:
        """`among` are the jobs that matched a moment ago, where others may have changed some since."""
        ids = self.matching(verb, queue_name)
        changed = [id_ for id_ in ids if among is None or id_ in among]
        for id_ in changed:
            self._apply(verb, self.jobs[id_], now)
        return len(changed)

    def matching(self, verb: str, queue_name: str | None) -> list[str]:
        rows = [row for row in self.jobs.values() if queue_name in (None, row.queue)]
        return [row.id for row in rows if row.state in APPLIES_TO[verb]]

    def _apply(self, verb: str, row: JobRow, now: datetime) -> None:
        if verb in ("delete", "discard"):
            self._remove([row])
        elif verb == "cancel":
            row.cancel_requested_at = now
            if row.state is not State.PROCESSING:
                row.state, row.finished_at = State.CANCELLED, now
        elif verb == "run_now":
            row.state, row.run_at = State.PENDING, min(row.run_at, now)
        else:
            self._requeue(row, now)

    def _requeue(self, row: JobRow, run_at: datetime) -> None:
        row.state, row.run_at = State.PENDING, run_at
        row.attempts = row.postponements = 0
        row.finished_at = row.cancel_requested_at = None

    def change_settings(self, *, id_: str, fields: Mapping[str, Any], fence: int, now: datetime) -> str | None:
        refusal = self._unchangeable(id_, WAITING, fence)
        if refusal is None:
            row = self.jobs[id_]
            self._change(row, fields)
            if "run_at" in fields:
                self._put_off(row, fields["run_at"], now)
        return refusal

    def change_and_requeue(self, *, id_: str, fields: Mapping[str, Any], fence: int, now: datetime) -> str | None:
        refusal = self._unchangeable(id_, FINAL, fence)
        if refusal is None:
            row = self.jobs[id_]
            self._change(row, fields)
            self._requeue(row, max(fields.get("run_at") or now, now))
            if row.run_at > now:
                row.state = State.SCHEDULED
        return refusal

    def _unchangeable(self, id_: str, states: Sequence[State], fence: int) -> str | None:
        if id_ not in self.jobs:
            return "NotFound"
        row = self.jobs[id_]
        return None if row.state in states and row.fence == fence else "WrongState"

    def _change(self, row: JobRow, fields: Mapping[str, Any]) -> None:
        columns = {"timeout": "timeout_seconds", "backoff_max": "backoff_max_seconds"}
        for name in fields.keys() - {"run_at"}:
            setattr(row, columns.get(name, name), fields[name])

    def _put_off(self, row: JobRow, run_at: datetime | None, now: datetime) -> None:
        if run_at is None or run_at <= now:
            row.state, row.run_at = State.PENDING, min(row.run_at, now) if run_at is None else run_at
        else:
            row.state, row.run_at = State.FAILED if row.state is State.FAILED else State.SCHEDULED, run_at

    def prune(self, *, older_than_seconds: float | None, now: datetime) -> int:
        old = [row for row in self.jobs.values() if self._is_old(row, older_than_seconds, now)]
        self._remove(old)
        self.forget_counters(before=now - timedelta(days=8))
        return len(old)

    def _is_old(self, row: JobRow, older_than_seconds: float | None, now: datetime) -> bool:
        if row.state not in (State.COMPLETED, State.CANCELLED) or row.finished_at is None:
            return False
        seconds = self.value("retention", row.queue) if older_than_seconds is None else older_than_seconds
        return row.finished_at < now - timedelta(seconds=seconds)

    def _remove(self, rows: Sequence[JobRow]) -> None:
        for row in rows:
            del self.jobs[row.id]
            for key in [key for key in self.attempts if key[0] == row.id]:
                del self.attempts[key]

    def forget_counters(self, *, before: datetime) -> None:
        for key in [key for key in self.counters if key[0] < before]:
            del self.counters[key]
