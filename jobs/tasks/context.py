"""What a task with `takes_context` is given: its result so far, and its way to talk to the queue while it runs."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from jobs.tasks import api

MESSAGE_MAX_CHARACTERS = 500  # it is shown in lists, and stored with every beat

Report = Callable[[float, str | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext(api.AnyContext):  # type: ignore[misc]
    """Django's TaskContext, and more. `ends_at` is the monotonic time of the timeout; None: there is none."""

    attempt_number: int
    ends_at: float | None
    ask_stopped: Callable[[], bool]
    report: Report

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1; it starts anew when the job is requeued."""
        return self.attempt_number

    @property
    def seconds_left(self) -> float | None:
        """How long the attempt may still run; None is without limit."""
        return None if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())

    @property
    def is_stopping(self) -> bool:
        """Whether the task was asked to end: it timed out, was cancelled, or its worker stops."""
        return self.ask_stopped()

    def progress(self, share: float, message: str | None = None) -> None:
        """Show how far the task is, from 0 to 1. It is seen within a second, though the task has a transaction open.

        Not so on SQLite, where a transaction that has written lets nobody else write until it is over.
        """
        if not 0 <= share <= 1:
            raise ValueError("progress must be from 0 to 1")
        self.report(float(share), None if message is None else str(message)[:MESSAGE_MAX_CHARACTERS])
