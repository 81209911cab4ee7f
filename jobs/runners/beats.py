"""The beats of attempts whose own thread is busy: what each shows of itself while it runs."""

import threading
import time
from collections.abc import Callable

from jobs.runners.alarm import Alarm
from jobs.runners.timing import BEAT_FIRST_SECONDS, BEAT_SECONDS

Beat = Callable[[], None]


class Beats:
    """Calls the beat of everything that runs, at its times. Most jobs are over before their first.

    One call of the alarm stands for them all: one for each would cost thousands of short jobs more than it tells.
    """

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._lock = threading.Lock()
        self._due: dict[Beat, float] = {}  # the monotonic time of the next beat of each
        self._is_awaited = False  # the alarm will call

    def start(self, beat: Beat) -> None:
        """Call `beat`, which must not block, from another thread until `stop`."""
        with self._lock:
            self._due[beat] = time.monotonic() + BEAT_FIRST_SECONDS
            if not self._is_awaited:
                self._await_next()

    def stop(self, beat: Beat) -> None:
        """Do not call it again. A call that is under way goes on."""
        with self._lock:
            del self._due[beat]

    def _await_next(self) -> None:
        self._is_awaited = True
        self._alarm.call_at(min(self._due.values()), self._beat)

    def _beat(self) -> None:
        with self._lock:
            now = time.monotonic()
            due = [beat for beat, moment in self._due.items() if moment <= now]
            self._due |= dict.fromkeys(due, now + BEAT_SECONDS)
            self._is_awaited = False
            if self._due:
                self._await_next()
        for beat in due:
            beat()
