"""What people set: reading it resolved, and changing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from jobs import conf, new_job, retry
from jobs.errors import InvalidInput, NotFound
from jobs.models import ALL_QUEUES, Config
from jobs.queue._again import again_after_conflict
from jobs.queue._announce import announce


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
        if row is None or row.paused_at is None:
            return False
        return row.paused_until is None or row.paused_until > self.now


def load_policies(*, now: datetime) -> Policies:
    """Read every setting: one small query."""
    return Policies({row.queue: row for row in Config.objects.all()}, now)


def set_knob(name: str, value: object, *, queue: str | None = None) -> float:
    """Set a knob for one queue, or for all without a value of their own. Return what was stored. Raise InvalidInput."""
    knob = conf.knob(name)
    clean = knob.clean(value)
    _write(queue, {knob.name: clean})
    return clean


def unset_knob(name: str, *, queue: str | None = None) -> bool:
    """Let a knob fall back to what is behind it. Return whether it was set."""
    knob = conf.knob(name)
    is_set = Config.objects.filter(queue=_row_name(queue), **{f"{knob.name}__isnull": False})
    was_set = bool(is_set.update(**{knob.name: None}))
    announce()
    return was_set


def pause(queue: str, *, now: datetime, until: datetime | None = None, reason: str | None = None) -> None:
    """Stop handing out jobs of `queue`. Running jobs go on. A second pause replaces reason and end of the first.

    Raise InvalidInput if it would be over already.
    """
    if until is not None and until <= now:
        raise InvalidInput("until", "must be in the future")
    _write(queue, {"paused_at": now, "paused_until": until, "paused_reason": reason})


def resume(queue: str, *, now: datetime) -> None:
    """Hand out jobs of `queue` again. Raise NotFound if it is not paused."""
    still_paused = Q(paused_until__isnull=True) | Q(paused_until__gt=now)
    resumed = Config.objects.filter(still_paused, queue=queue, paused_at__isnull=False).update(
        paused_at=None, paused_until=None, paused_reason=None
    )
    if not resumed:
        raise NotFound(f"queue {new_job.shown(queue)} is not paused")
    announce()


def _row_name(queue: str | None) -> str:
    return ALL_QUEUES if queue is None else new_job.queue_name(queue)


@again_after_conflict
def _write(queue: str | None, values: dict[str, object]) -> None:
    Config.objects.update_or_create(queue=_row_name(queue), defaults=values)
    announce()
