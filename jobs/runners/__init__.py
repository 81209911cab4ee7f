"""What the worker and its runners agree on: how a job is run, watched, and asked to end early.

The runners themselves are in the modules beside this one; `registry` says which one runs which kind.
"""

import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from jobs.outcome import Claim, Outcome, Output
from jobs.states import Ending

# Called with the pid and the output so far: once when the job has run for 0.25 s, then at most once a second
# and only when there is more output.
Watch = Callable[[int, Output], None]

_WAKE = (1).to_bytes(8, sys.byteorder)  # an eventfd takes exactly eight bytes; a pipe takes any


class Stop:
    """How a running job is asked to end early. One for each job thread, reused for job after job.

    The worker's main thread asks, possibly from a signal handler; the job thread waits until `fileno()` is readable.
    """

    def __init__(self) -> None:
        self.ending: Ending | None = None
        # Reentrant: a signal handler may ask while the thread it interrupted is asking.
        self._lock = threading.RLock()
        self._read_fd, self._write_fd = _wake_fds()
        self._is_closed = False
        self._listener: Callable[[Ending], None] | None = None

    def ask(self, ending: Ending) -> None:
        """Ask the job to end as CANCELLED or RELEASED. The first to ask wins."""
        with self._lock:
            if self.ending is None and not self._is_closed:
                self.ending = ending
                os.write(self._write_fd, _WAKE)
                if self._listener is not None:
                    self._listener(ending)

    def tell(self, listener: Callable[[Ending], None] | None) -> None:
        """Have `listener` called when the job is asked to end, from the thread that asks; now, if it has been."""
        with self._lock:
            self._listener = listener
            if listener is not None and self.ending is not None:
                listener(self.ending)

    def clear(self) -> None:
        """Forget what was asked of the job before."""
        with self._lock:
            if self.ending is not None:
                os.read(self._read_fd, len(_WAKE))
            self.ending = None

    def fileno(self) -> int:
        return self._read_fd

    def close(self) -> None:
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                for fd in {self._read_fd, self._write_fd}:
                    os.close(fd)


class Runner(Protocol):
    """Runs one job to its end. What it raises is a defect of the runner, not of the job: the worker reports it."""

    def __call__(self, claim: Claim, *, stop: Stop, watch: Watch, grace_seconds: float) -> Outcome: ...


def _wake_fds() -> tuple[int, int]:
    if sys.platform != "linux":
        return os.pipe()
    fd = os.eventfd(0, os.EFD_CLOEXEC)
    return fd, fd
