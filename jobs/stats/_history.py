"""Who changed which setting when, and who paused what. The end of a pause that nobody ended is told, too."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs import conf, durations, moments
from jobs.models import ALL_QUEUES, ConfigChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change. `queue` of None: of the values for all queues. `by` of None: the time of a pause was over.

    `before` and `after` are as the table has them.
    """

    queue: str | None
    key: str
    before: Any
    after: Any
    by: str | None
    at: datetime

    @property
    def text(self) -> str:
        """What happened: `timeout: not set → 10m`, `paused until …: provider is down`, `resumed`."""
        if self.key != ConfigChange.PAUSED:
            return f"{self.key}: {_value(self.key, self.before)} → {_value(self.key, self.after)}"
        if self.after is None:
            return "resumed" if self.by else "resumed by itself, as its time was over"
        until = f" until {moments.absolute(datetime.fromisoformat(self.after['until']))}" if self.after["until"] else ""
        return f"paused{until}" + (f": {self.after['reason']}" if self.after["reason"] else "")


def _value(key: str, value: float | None) -> str:
    if value is None:
        return "not set"
    knob = conf.KNOBS.get(key)  # None: of a newer version
    return durations.text(value) if knob is not None and knob.unit == "seconds" else f"{value:.15g}"


def config_history(*, queue: str | None = None, limit: int, now: datetime) -> list[Change]:
    """Return the newest changes, those first, of all settings or of `queue` (`*`: of the values for all queues)."""
    rows = ConfigChange.objects.order_by("-pk")
    if queue is not None:
        rows = rows.filter(queue=queue)
    return sorted(_with_ends(rows[:limit], now), key=lambda change: change.at, reverse=True)[:limit]


def _with_ends(rows: Iterable[ConfigChange], now: datetime) -> Iterator[Change]:
    """Yield the changes, which come newest first, and before each pause that ended by itself its end.

    Nothing happens at that moment, so nothing is written. But it did end then, unless someone changed it before.
    """
    followed_at: dict[str, datetime] = {}
    for row in rows:
        change = _change(row)
        if row.key == ConfigChange.PAUSED:
            yield from _own_end(change, before=followed_at.get(row.queue, now))
            followed_at[row.queue] = row.changed_at
        yield change


def _change(row: ConfigChange) -> Change:
    return Change(
        queue=None if row.queue == ALL_QUEUES else row.queue,
        key=row.key,
        before=row.before,
        after=row.after,
        by=row.changed_by,
        at=row.changed_at,
    )


def _own_end(pause: Change, *, before: datetime) -> Iterator[Change]:
    if pause.after is None or pause.after["until"] is None:
        return
    until = datetime.fromisoformat(pause.after["until"])
    if until <= before:
        yield Change(queue=pause.queue, key=pause.key, before=pause.after, after=None, by=None, at=until)
