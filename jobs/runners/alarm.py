"""Calls functions at a given time, for jobs whose own thread is busy with the job. One thread for a whole worker."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

CANCELLED_MAX = 1_000  # moments kept of calls that will not be made, before they are swept out


class Alarm:
    """Its thread is started by the first call."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._moments: list[tuple[float, int]] = []  # a heap of monotonic times, each with the number of its call
        self._functions: dict[int, Callable[[], None]] = {}  # of the calls that are to be made
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def call_at(self, moment: float, function: Callable[[], None]) -> int:
        """Call `function`, which must not block, at that monotonic time. Return the number to cancel it with."""
        with self._news:
            number = next(self._numbers)
            is_first = not self._moments or moment < self._moments[0][0]
            self._functions[number] = function
            heapq.heappush(self._moments, (moment, number))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alarm", daemon=True)
                self._thread.start()
            elif is_first:
                self._news.notify()
            return number

    def cancel(self, number: int) -> None:
        """Do not make a call, and let go of its function. Does nothing about one that has been made."""
        with self._news:
            self._functions.pop(number, None)
            # A task that ends at once leaves the moment of its timeout, which may be hours away.
            if len(self._moments) > 2 * len(self._functions) + CANCELLED_MAX:
                self._moments = [entry for entry in self._moments if entry[1] in self._functions]
                heapq.heapify(self._moments)

    def _run(self) -> None:
        while True:
            function = self._next()
            try:
                function()
            except Exception:
                logger.exception("an alarm failed")
            del function  # with all that it knows of its job

    def _next(self) -> Callable[[], None]:
        """Wait for the next call that is due and not cancelled."""
        with self._news:
            while True:
                if not self._moments:
                    self._news.wait()
                elif (seconds := self._moments[0][0] - time.monotonic()) > 0:
                    self._news.wait(seconds)
                else:
                    _, number = heapq.heappop(self._moments)
                    function = self._functions.pop(number, None)
                    if function is not None:
                        return function
