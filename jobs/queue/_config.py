"""What people set: reading it resolved, and changing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs import conf, moments, new_job, retry
from jobs.database import atomic
from jobs.errors import InvalidInput, WrongState
from jobs.models import ALL_QUEUES, Config, ConfigChange
from jobs.queue._again import again_after_conflict
from jobs.queue._announce import announce
from jobs.queue._changes import note_change


@dataclass(frozen=True, slots=True)
class Policies:
    """The settings of every queue at one moment: a queue's own value, else the defaults row's, else the built-in."""

    rows: Mapping[str, Config]
    now: datetime

    def value(self, knob: str, queue: str) -> float:
        """Return what holds for `queue` (`*`: for queues without a value of their own)."""
        for name in (queue, ALL_QUEUES):
            row = self.rows.get(name)
            if row is not None and getattr(row, knob) is not None:
                return float(getattr(row, knob))
        return conf.KNOBS[knob].default

    def retry(self, queue: str) -> retry.Policy:
        return retry.Policy(
            max_retries=int(self.value("max_retries", queue)),
            backoff_base=self.value("backoff_base", queue),
            backoff_max_seconds=self.value("backoff_max", queue),
            jitter=self.value("jitter", queue),
        )

    def timeout_seconds(self, queue: str) -> float | None:
        """Return how long an attempt in `queue` may run; None is no limit."""
        return self.value("timeout", queue) or None

    def is_paused(self, queue: str) -> bool:
        row = self.rows.get(queue)
        return row is not None and row.is_paused(self.now)


def load_policies(*, now: datetime) -> Policies:
    """Read every setting: one small query."""
    return Policies({row.queue: row for row in Config.objects.all()}, now)


@again_after_conflict
def set_knob(name: str, value: object, *, queue: str | None = None, by: str, now: datetime) -> float:
    """Set a knob for one queue, or for all without a value of their own. Return what was stored. Raise InvalidInput.

    `by` says who does it, for the history, as with all that follow.
    """
    knob = conf.knob(name)
    clean = knob.clean(value)
    with atomic():
        row = _locked(_row_name(queue))
        if getattr(row, knob.name) != clean:
            note_change(row.queue, knob.name, before=getattr(row, knob.name), after=clean, by=by, now=now)
            _write(row, {knob.name: clean})
    return clean


@again_after_conflict
def unset_knob(name: str, *, queue: str | None = None, by: str, now: datetime) -> bool:
    """Let a knob fall back to what is behind it. Return whether it was set."""
    knob = conf.knob(name)
    with atomic():
        row = _locked_if_there(_row_name(queue))
        if row is None or getattr(row, knob.name) is None:
            return False
        note_change(row.queue, knob.name, before=getattr(row, knob.name), after=None, by=by, now=now)
        _write(row, {knob.name: None})
    return True


@again_after_conflict
def pause(queue: str, *, now: datetime, until: datetime | None = None, reason: str | None = None, by: str) -> None:
    """Stop handing out jobs of `queue`. Running jobs go on. A second pause replaces reason and end of the first.

    Raise InvalidInput if it would be over already.
    """
    if until is not None and until <= now:
        raise InvalidInput("until", "must be in the future")
    with atomic():
        row = _locked(_row_name(queue))
        before = _pause_of(row, now)
        _write(row, {"paused_at": now, "paused_until": until, "paused_reason": reason})
        note_change(row.queue, ConfigChange.PAUSED, before=before, after=_pause_of(row, now), by=by, now=now)


@again_after_conflict
def resume(queue: str, *, now: datetime, by: str) -> None:
    """Hand out jobs of `queue` again. Raise WrongState if it is not paused."""
    with atomic():
        row = _locked_if_there(queue)
        if row is None or not row.is_paused(now):
            raise WrongState(f"queue {new_job.shown(queue)} is not paused")
        note_change(row.queue, ConfigChange.PAUSED, before=_pause_of(row, now), after=None, by=by, now=now)
        _write(row, {"paused_at": None, "paused_until": None, "paused_reason": None})


def _row_name(queue: str | None) -> str:
    return ALL_QUEUES if queue is None else new_job.queue_name(queue)


def _locked(name: str) -> Config:
    """Return a row that no one else changes until the transaction ends; make it if there is none."""
    row, _ = Config.objects.select_for_update().get_or_create(queue=name)
    return row


def _locked_if_there(name: str) -> Config | None:
    return Config.objects.select_for_update().filter(queue=name).first()


def _write(row: Config, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=values)
    announce()


def _pause_of(row: Config, now: datetime) -> dict[str, Any] | None:
    """Return how a queue is paused, as the history tells it; None: it is not."""
    if not row.is_paused(now):
        return None
    return {"until": row.paused_until and moments.iso(row.paused_until), "reason": row.paused_reason}
