"""The time of one attempt, and how often it is reported while it runs."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.outcome import Outcome

BEAT_FIRST_SECONDS = 0.25  # most jobs are over by then, and need no report
BEAT_SECONDS = 1.0  # as often as a person who follows a log looks


@dataclass(slots=True)
class Clock:
    """One attempt's time: the wall clock to show when it began, the monotonic one for everything that is measured."""

    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)

    def deadline(self, timeout_seconds: float | None) -> float:
        return float("inf") if timeout_seconds is None else self.started + timeout_seconds

    def outcome(self, *, ended: float | None = None, **fields: Any) -> Outcome:
        """Return an outcome that ended at that monotonic time, or now."""
        ended = time.monotonic() if ended is None else ended
        seconds = ended - self.started
        finished_at = self.started_at + timedelta(seconds=seconds)
        return Outcome(started_at=self.started_at, finished_at=finished_at, run_seconds=seconds, ended=ended, **fields)
