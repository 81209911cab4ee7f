"""The worker processes of a supervisor: starting one, what each holds, and what becomes of it when one dies."""

import logging
import signal
import socket
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from jobs.channel import Channel
from jobs.outcome import Advice, Claim, Outcome, Output
from jobs.queue import Ended
from jobs.states import Ending, Kind
from jobs.supervisor.desk import Key, Running
from jobs.supervisor.nursery import Nursery

logger = logging.getLogger("jobs.supervisor")

# Beyond its timeout and its grace, before a worker is killed that has not ended a job. Its worker ends a command, and
# must itself be stuck; a task is ended by nothing else.
OVERDUE_SECONDS: dict[str, float] = {Kind.SHELL: 5.0, Kind.TASK: 0.5}


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

    def __init__(self, nursery: Nursery) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = nursery.start_worker(theirs)
        self.channel = Channel(ours)
        self.options = nursery.options
        self.pid: int | None = None  # known when it is ready
        self.held: dict[Key, Held] = {}  # in the order they were handed over
        self.ended_count = 0
        self.rss_bytes = 0
        self.is_leaving = False
        self.has_interrupted = False  # a task, wherever it was: what lock it held may be taken for good
        self.is_recalled = False
        self._kill_reason: str | None = None
        self._overdue: list[Held] = []  # the jobs it was killed for

    @property
    def is_ready(self) -> bool:
        return self.pid is not None and not self.is_leaving

    def note_ready(self, pid: int) -> None:
        self.pid = pid

    def hand_over(self, claims: list[Claim]) -> list[Ended]:
        """Hand claims to the worker. Return the ends of those that no message can hold: seldom any."""
        try:
            self.channel.send(run=[claim.to_wire() for claim in claims])
        except (TypeError, ValueError) as error:
            if len(claims) > 1:
                return [end for claim in claims for end in self.hand_over([claim])]
            return [Ended(claim=claims[0], outcome=_never_run(error))]
        for claim in claims:
            self.held[claim.key] = Held(claim)
        self.is_recalled = False
        self.note_starts()
        return []

    def take_back(self, key: Key) -> Held | None:
        """Forget a claim that ended or was returned; return it. None: it is not ours any more.

        To be followed by `note_starts`, when all that came at once has been taken.
        """
        return self.held.pop(key, None)

    def running(self) -> list[Held]:
        """Return what its threads run now: it starts jobs in the order in which they were handed over."""
        return list(islice(self.held.values(), self.options.thread_count))

    def note_starts(self) -> None:
        """Begin to measure the time of the jobs that must be running by now."""
        now = time.monotonic()
        for held in self.running():
            if held.started is None:
                held.started = now
                if held.is_asked_to_end:
                    self._kill_later(held, 0, held.kill_ending)
                elif held.claim.timeout_seconds is not None:
                    self._kill_later(held, held.claim.timeout_seconds, Ending.TIMED_OUT)

    def _kill_later(self, held: Held, seconds: float, ending: Ending) -> None:
        """Be ready to kill the worker if it does not end this job by itself within that time and the grace."""
        overdue_seconds = OVERDUE_SECONDS.get(held.claim.kind, 0.0)
        held.kill_at = time.monotonic() + seconds + self.options.grace_seconds + overdue_seconds
        held.kill_ending = ending

    def end(self, key: Key, ending: Ending) -> None:
        """Ask the worker to end a job early. Does nothing if it does not hold it."""
        held = self.held.get(key)
        if held is None or held.kill_ending is ending:
            return
        if held.started is None:
            held.kill_ending = ending
        else:
            self._kill_later(held, 0, ending)
        self.channel.send(end=key, ending=ending)

    @property
    def is_busy(self) -> bool:
        """Whether every thread has a job."""
        return len(self.held) >= self.options.thread_count

    @property
    def waiting_count(self) -> int:
        """How many jobs it holds that it cannot have started."""
        return max(0, len(self.held) - self.options.thread_count)

    def is_stuck(self, *, now: float, seconds: float) -> bool:
        """Whether jobs wait here behind jobs that have all been running for longer than that."""
        if self.is_recalled or not self.waiting_count:
            return False
        return all(held.started is not None and now - held.started > seconds for held in self.running())

    def recall(self) -> None:
        """Ask for what it has not started. Until it is handed something again, it gets nothing ahead."""
        if self.waiting_count and not self.is_recalled:
            self.is_recalled = True
            self.channel.send(recall=True)

    def kill(self, reason: str | None = None) -> None:
        """End the worker at once, for a reason to be told of its jobs. Their processes are left to the supervisor."""
        self._kill_reason = reason or self._kill_reason
        self.process.kill()

    def kill_if_overdue(self, now: float) -> None:
        """End the worker if it has not ended a job in time. Its other jobs are given back: they did nothing wrong."""
        if not self._overdue:
            self._overdue = [held for held in self.running() if held.kill_at is not None and now >= held.kill_at]
            if self._overdue:
                ids = " ".join(held.claim.id for held in self._overdue)
                logger.error("worker stuck pid=%s jobs=%s: killing it", self.pid, ids)
                self.kill()

    def close(self) -> None:
        """Let go of a worker that is dead, or of one that has nothing to do: it then exits by itself."""
        self.channel.close()
        self.process.close()

    def settle(self) -> tuple[list[Ended], deque[Claim]]:
        """Return how the jobs of a dead worker ended, and those it had not started."""
        running = self.running()
        unstarted = deque(held.claim for held in self.held.values() if held not in running)
        ended = [Ended(claim=held.claim, outcome=self._lost(held)) for held in running]
        self.held.clear()
        return ended, unstarted

    def _lost(self, held: Held) -> Outcome:
        """Return the end of an attempt that nobody saw, with what its worker last said of it."""
        now, ended = datetime.now(UTC), time.monotonic()
        run_seconds = ended - (held.started or ended)
        return Outcome(
            ending=Ending.RELEASED if self._is_bystander(held) else held.kill_ending,
            started_at=held.running.started_at if held.running else now - timedelta(seconds=run_seconds),
            finished_at=now,
            run_seconds=run_seconds,
            ended=ended,
            pid=held.running.pid if held.running else self.pid,
            error=self._cause(held),
            output=held.running.output if held.running else Output(),
        )

    def _is_bystander(self, held: Held) -> bool:
        """Whether the worker was killed for another job, of which it had more than one at a time."""
        return bool(self._overdue) and held not in self._overdue

    def _cause(self, held: Held) -> str:
        if self._is_bystander(held):
            return f"its worker had to be killed to end {self._overdue[0].claim.id}"
        if held.kill_ending is not Ending.LOST:
            return f"{held.kill_ending.label}, and its worker had to be killed"
        if self._kill_reason is not None:
            return self._kill_reason
        code = self.process.exit_code
        if code is None:
            return "its worker was killed, because the process that had started it died"
        if code < 0:
            return f"its worker died: killed by signal {-code} ({signal.Signals(-code).name})"
        return f"its worker died: exit code {code}"

    def as_row(self) -> dict[str, Any]:
        """Return what the supervisor's row says about this worker."""
        ids = [held.claim.id for held in self.running()]
        return {"pid": self.pid, "jobs": ids, "rss_bytes": self.rss_bytes, "ended": self.ended_count}


def _never_run(error: Exception) -> Outcome:
    """Return the end of a claim whose row somebody wrote by hand: SQLite keeps bytes where a text belongs."""
    now = datetime.now(UTC)
    return Outcome(
        ending=Ending.FAILED,
        advice=Advice.NEVER,
        started_at=now,
        finished_at=now,
        run_seconds=0.0,
        ended=time.monotonic(),
        error=f"its row holds what no job can: {error}",
    )
