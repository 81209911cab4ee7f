"""The settings as the reference model keeps them: what is set for all queues, for one, and which are paused."""

from datetime import datetime

from tests.clock import DAY_SECONDS

DEFAULTS = {
    "max_retries": 3,
    "backoff_base": 2,
    "backoff_max": 3_600,
    "jitter": 0,
    "timeout": 0,
    "retention": 7 * DAY_SECONDS,
}


class Settings:
    def __init__(self) -> None:
        self.values: dict[str, dict[str, float]] = {}  # by queue; `*` holds what is set for all
        self.pauses: dict[str, datetime | None] = {}  # by queue, until when

    def value(self, knob: str, queue: str) -> float:
        for name in (queue, "*"):
            if knob in self.values.get(name, {}):
                return self.values[name][knob]
        return DEFAULTS[knob]

    def set_knob(self, *, knob: str, value: float, queue_name: str | None, now: datetime) -> None:
        self.values.setdefault(queue_name or "*", {})[knob] = value

    def unset_knob(self, *, knob: str, queue_name: str | None, now: datetime) -> bool:
        return self.values.get(queue_name or "*", {}).pop(knob, None) is not None

    def pause(self, *, queue_name: str, until: datetime | None, now: datetime) -> None:
        self.pauses[queue_name] = until

    def resume(self, *, queue_name: str, now: datetime) -> str | None:
        if not self.is_paused(queue_name, now):
            return "WrongState"
        del self.pauses[queue_name]
        return None

    def is_paused(self, queue: str, now: datetime) -> bool:
        until = self.pauses.get(queue, now)
        return until is None or until > now
