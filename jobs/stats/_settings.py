"""What each retry setting is, and where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from jobs import conf
from jobs.models import ALL_QUEUES, Config


class Origin(StrEnum):
    """Where a value was found; the first of these that has one wins."""

    QUEUE = "queue"  # the queue's own
    DEFAULTS = "defaults"  # set for all queues
    BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One knob as it holds for `queue` (None: for queues without a value of their own)."""

    knob: conf.Knob
    queue: str | None
    value: float
    origin: Origin


def settings(*, queue: str | None = None) -> list[Setting]:
    """Return every knob as it holds for `queue`."""
    rows = {row.queue: row for row in Config.objects.filter(queue__in=(queue or ALL_QUEUES, ALL_QUEUES))}
    return [_setting(knob, queue, rows) for knob in conf.KNOBS.values()]


def setting(name: str, *, queue: str | None = None) -> Setting:
    """Return one knob as it holds for `queue`. Raise InvalidInput."""
    knob = conf.knob(name)
    return next(setting for setting in settings(queue=queue) if setting.knob is knob)


def queue_settings() -> list[Setting]:
    """Return what queues have set for themselves."""
    rows = Config.objects.exclude(queue=ALL_QUEUES).order_by("queue")
    own = [(row.queue, knob, _value(knob, row)) for row in rows for knob in conf.KNOBS.values()]
    return [
        Setting(knob=knob, queue=queue, value=value, origin=Origin.QUEUE)
        for queue, knob, value in own
        if value is not None
    ]


def _setting(knob: conf.Knob, queue: str | None, rows: Mapping[str, Config]) -> Setting:
    own = _value(knob, rows.get(queue)) if queue is not None else None
    if own is not None:
        return Setting(knob=knob, queue=queue, value=own, origin=Origin.QUEUE)
    default = _value(knob, rows.get(ALL_QUEUES))
    if default is not None:
        return Setting(knob=knob, queue=queue, value=default, origin=Origin.DEFAULTS)
    return Setting(knob=knob, queue=queue, value=knob.default, origin=Origin.BUILT_IN)


def _value(knob: conf.Knob, row: Config | None) -> float | None:
    return None if row is None else getattr(row, knob.name)
