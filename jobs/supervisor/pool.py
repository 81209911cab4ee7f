"""The worker processes of a supervisor: starting one, what each holds, and what becomes of it when one dies."""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs import worker
from jobs.channel import Channel
from jobs.outcome import Claim, Outcome, Output
from jobs.queue import Ended
from jobs.states import Ending
from jobs.supervisor.desk import Key, Running

logger = logging.getLogger("jobs.supervisor")

OVERDUE_SECONDS = 5.0  # beyond its timeout and its grace; then the worker itself must be stuck


@dataclass(slots=True)
class Held:
    """A claim in a worker's hands. `started` and `kill_at` are monotonic times; None: not known, never."""

    claim: Claim
    started: float | None = None
    kill_at: float | None = None
    kill_ending: Ending = Ending.LOST
    running: Running | None = None  # what its worker last said of it

    @property
    def is_asked_to_end(self) -> bool:
        return self.kill_ending in (Ending.CANCELLED, Ending.RELEASED)


class Handle:
    """One worker, as its supervisor sees it."""

    def __init__(self, options: worker.Options) -> None:
        context = _context()
        ours, theirs = socket.socketpair()
        self.process = context.Process(target=worker.main, args=(theirs, options), name="queuectl-worker")
        self.process.start()
        theirs.close()
        self.channel = Channel(ours)
        self.options = options
        self.pid: int | None = None  # known when it is ready
        self.held: dict[Key, Held] = {}  # in the order they were handed over
        self.ended_count = 0
        self.rss_bytes = 0
        self.is_leaving = False
        self.is_recalled = False
        self._pidfd: int | None = None

    @property
    def is_ready(self) -> bool:
        return self.pid is not None and not self.is_leaving

    def note_ready(self, pid: int) -> None:
        self.pid = pid
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(ProcessLookupError):
                self._pidfd = os.pidfd_open(pid)

    def hand_over(self, claims: list[Claim]) -> None:
        for claim in claims:
            self.held[(claim.id, claim.fence)] = Held(claim)
        self.is_recalled = False
        self._note_starts()
        self.channel.send(run=[claim.to_wire() for claim in claims])

    def take_back(self, key: Key) -> Held | None:
        """Forget a claim that ended or was returned; return it. None: it is not ours any more."""
        held = self.held.pop(key, None)
        self._note_starts()
        return held

    def running(self) -> list[Held]:
        """Return what its threads run now: it starts jobs in the order in which they were handed over."""
        return [held for _, held in zip(range(self.options.thread_count), self.held.values(), strict=False)]

    def _note_starts(self) -> None:
        now = time.monotonic()
        for held in self.running():
            if held.started is None:
                held.started = now
                if held.claim.timeout_seconds is not None:
                    self.kill_later(held, held.claim.timeout_seconds, Ending.TIMED_OUT)

    def kill_later(self, held: Held, seconds: float, ending: Ending) -> None:
        """Be ready to kill the worker if it does not end this job by itself within that time and the grace."""
        held.kill_at = time.monotonic() + seconds + self.options.grace_seconds + OVERDUE_SECONDS
        held.kill_ending = ending

    def end(self, key: Key, ending: Ending) -> None:
        """Ask the worker to end a job early. Does nothing if it does not hold it."""
        held = self.held.get(key)
        if held is None or held.kill_ending is ending:
            return
        self.kill_later(held, 0, ending)
        self.channel.send(end=key, ending=ending)

    @property
    def is_busy(self) -> bool:
        """Whether every thread has a job."""
        return len(self.held) >= self.options.thread_count

    @property
    def has_waiting(self) -> bool:
        """Whether it holds jobs that it cannot have started."""
        return len(self.held) > self.options.thread_count

    def is_stuck(self, *, now: float, seconds: float) -> bool:
        """Whether jobs wait here behind jobs that have all been running for longer than that."""
        if self.is_recalled or not self.has_waiting:
            return False
        return all(held.started is not None and now - held.started > seconds for held in self.running())

    def recall(self) -> None:
        """Ask for what it has not started. Until it is handed something again, it gets nothing ahead."""
        if self.has_waiting and not self.is_recalled:
            self.is_recalled = True
            self.channel.send(recall=True)

    def kill(self) -> None:
        """End the worker at once. Its jobs' processes are left to the supervisor."""
        with contextlib.suppress(ProcessLookupError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            else:
                self.process.kill()

    def close(self) -> None:
        """Let go of a worker that is dead, or of one that has nothing to do: it then exits by itself."""
        self.channel.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    def settle(self) -> tuple[list[Ended], deque[Claim]]:
        """Return how the jobs of a dead worker ended, and those it had not started."""
        running = self.running()
        unstarted = deque(held.claim for held in self.held.values() if held not in running)
        ended = [Ended(claim=held.claim, outcome=self._lost(held)) for held in running]
        self.held.clear()
        return ended, unstarted

    def _lost(self, held: Held) -> Outcome:
        """Return the end of an attempt that nobody saw, with what its worker last said of it."""
        now = datetime.now(UTC)
        run_seconds = time.monotonic() - (held.started or time.monotonic())
        return Outcome(
            ending=held.kill_ending,
            started_at=held.running.started_at if held.running else now - timedelta(seconds=run_seconds),
            finished_at=now,
            run_seconds=run_seconds,
            pid=held.running.pid if held.running else self.pid,
            error=self._cause(held),
            output=held.running.output if held.running else Output(),
        )

    def _cause(self, held: Held) -> str:
        if held.kill_ending is not Ending.LOST:
            return f"{held.kill_ending.label}, and its worker had to be killed"
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"its worker died: killed by signal {-code} ({signal.Signals(-code).name})"
        return f"its worker died: exit code {code}"

    def as_row(self) -> dict[str, Any]:
        """Return what the supervisor's row says about this worker."""
        ids = [held.claim.id for held in self.running()]
        return {"pid": self.pid, "jobs": ids, "rss_bytes": self.rss_bytes, "ended": self.ended_count}


def _context() -> Any:
    """Return how workers are started: forked from a server that has the project loaded, else from scratch."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["jobs.preload"])
    return context
