"""A worker: a child process that runs the jobs its supervisor hands it, and touches no database of the queue's.

The main thread listens to the supervisor; job threads run one job each. When the supervisor is gone, so is the worker,
and all that its jobs started.
"""

import logging
import os
import queue
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil
from django.db import Error, connections

from jobs import processes, visible
from jobs.channel import Channel
from jobs.outcome import Claim, Outcome, Output
from jobs.runners import Stop, recording, unknown
from jobs.runners.registry import RUNNERS
from jobs.states import Ending

logger = logging.getLogger("jobs.worker")

MEMORY_REPORT_SECONDS = 1.0  # reading it costs 20 µs
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a worker works. `grace_seconds` is the time between TERM and KILL."""

    thread_count: int
    grace_seconds: float


def main(end: socket.socket, options: Options) -> None:
    """Run a worker until its supervisor lets it go. The target of the worker's process."""
    leave_signals_to_the_supervisor()
    give_forks_their_signals_back()
    os.setsid()  # what a task starts is found by its session, and ended with the worker
    processes.become_subreaper()
    recording.install()
    Worker(Channel(end), options).run()


def leave_signals_to_the_supervisor() -> None:
    """Survive a Ctrl-C, a TERM or a HUP that was sent to the whole process group.

    A handler that does nothing, because SIG_IGN would be inherited by every command, and TERM could not end one.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)


def give_forks_their_signals_back() -> None:
    """Let these signals end what a task forks: a pool of `multiprocessing` terminates its processes and waits for that.

    They are held back meanwhile: one that came before the fork has begun to run would meet the handler, and be lost.
    """
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS),
        after_in_child=_obey_signals,
    )


def _obey_signals() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


class Slot:
    """One job thread: the job it runs now, and the way to ask that job to stop."""

    def __init__(self) -> None:
        self.key: tuple[str, int] | None = None
        self.stop = Stop()


class Worker:
    def __init__(self, channel: Channel, options: Options) -> None:
        self._channel = channel
        self._options = options
        self._waiting: queue.SimpleQueue[Claim] = queue.SimpleQueue()
        self._slots = [Slot() for _ in range(options.thread_count)]
        self._lock = threading.Lock()  # held while a job passes from waiting to running, and while one is asked to stop
        self._unstarted: set[tuple[str, int]] = set()
        self._unwanted: set[tuple[str, int]] = set()  # the unstarted that were asked to stop
        self._memory_reported = 0.0
        self._wake = Stop()  # readable when a job thread left something unsent

    def run(self) -> None:
        """Listen until the supervisor closes the channel; then end everything."""
        for slot in self._slots:
            threading.Thread(target=self._run_jobs, args=(slot,), daemon=True).start()
        self._channel.send(ready=os.getpid())
        try:
            self._listen()
        except EOFError:
            self._abandon()

    def _listen(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._channel, selectors.EVENT_READ)
        selector.register(self._wake, selectors.EVENT_READ)
        while True:
            # While something is unsent, the socket is asked for room as well.
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._channel.has_unsent else 0)
            selector.modify(self._channel, wanted)
            for key, events in selector.select():
                if key.fileobj is self._wake:
                    self._wake.clear()
                elif events & selectors.EVENT_READ:
                    for message in self._channel.receive():
                        self._obey(message)
            self._channel.flush()

    def _obey(self, message: dict[str, Any]) -> None:
        for wire in message.get("run", ()):
            self._accept(Claim.from_wire(wire))
        if "recall" in message:
            self._give_back()
        if "end" in message:
            id_, fence = message["end"]
            self._end((id_, fence), Ending(message["ending"]))

    def _accept(self, claim: Claim) -> None:
        with self._lock:
            self._unstarted.add(claim.key)
        self._waiting.put(claim)

    def _give_back(self) -> None:
        """Return what has not been started."""
        returned = []
        try:
            while True:
                claim = self._waiting.get_nowait()
                returned.append(claim.key)
        except queue.Empty:
            self._send(returned=returned)
        with self._lock:
            self._unstarted.difference_update(returned)
            self._unwanted.difference_update(returned)

    def _end(self, key: tuple[str, int], ending: Ending) -> None:
        with self._lock:
            running = next((slot for slot in self._slots if slot.key == key), None)
            if running is not None:
                running.stop.ask(ending)
            elif key in self._unstarted:
                self._unwanted.add(key)

    def _run_jobs(self, slot: Slot) -> None:
        """Run one job after another. If that fails, end the worker: its supervisor sees the death and replaces it.

        A thread that ended alone would take its job with it, `processing` for ever in a worker that looks well.
        """
        try:
            while True:
                self._run_next(slot)
        except BaseException:
            logger.exception("a job thread failed pid=%s: ending the worker", os.getpid())
        finally:  # memory may be too short even for the log
            os._exit(1)

    def _run_next(self, slot: Slot) -> None:
        claim = self._next()
        key = claim.key
        if self._enter(slot, key):
            outcome = self._attempt(claim, slot)
            slot.key = None
            self._send(ended=key, outcome=outcome.to_wire(), **self._memory())
            # If this process dies, its supervisor must know that the next job had begun, or it is started again.
            self._channel.wait_until_sent()
        else:
            self._send(returned=[key])

    def _next(self) -> Claim:
        """Return the next claim. While it waits, a connection of the project may grow too old."""
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            claim = self._waiting.get()
            _let_go_of_connections()
            return claim

    def _enter(self, slot: Slot, key: tuple[str, int]) -> bool:
        """Take the job for running, unless it was asked to stop before it began."""
        with self._lock:
            self._unstarted.discard(key)
            if key in self._unwanted:
                self._unwanted.discard(key)
                return False
            slot.stop.clear()
            slot.key = key
            return True

    def _attempt(self, claim: Claim, slot: Slot) -> Outcome:
        started_at, started = datetime.now(UTC), time.monotonic()

        def watch(pid: int, output: Output) -> None:
            key = claim.key
            self._send(running=key, pid=pid, started_at=started_at.timestamp(), output=output)

        run = RUNNERS.get(claim.kind, unknown.run)
        try:
            return run(claim, stop=slot.stop, watch=watch, grace_seconds=self._options.grace_seconds)
        except BaseException as error:  # or it would end the worker, and the jobs of its other threads
            logger.exception("runner failed id=%s attempt=%s", claim.id, claim.attempt)
            return Outcome(
                ending=Ending.FAILED,
                started_at=started_at,
                finished_at=datetime.now(UTC),
                run_seconds=time.monotonic() - started,
                ended=time.monotonic(),
                pid=os.getpid(),
                error=visible.line(f"the runner failed: {type(error).__name__}: {error}"[:500])[:500],
                traceback=traceback.format_exc(),
            )
        finally:
            _let_go_of_connections()

    def _memory(self) -> dict[str, int]:
        """Return the worker's memory for the supervisor's limit, once in a while."""
        now = time.monotonic()
        if now - self._memory_reported < MEMORY_REPORT_SECONDS:
            return {}
        self._memory_reported = now
        try:
            return {"rss_bytes": psutil.Process().memory_info().rss}
        except (OSError, psutil.Error):  # a task has used up the descriptors, which is no reason to lose its outcome
            return {}

    def _send(self, **message: Any) -> None:
        if not self._channel.send(**message):
            self._wake.ask(Ending.RELEASED)

    def _abandon(self) -> None:
        """The supervisor is gone: end what the jobs started, and exit without a word to anyone."""
        processes.kill_children()
        sys.stderr.flush()
        os._exit(0)


def _let_go_of_connections() -> None:
    """Do what Django does around a request: close the project's connections that are broken or too old. One that a task
    left in a transaction is closed whatever its age.
    """
    for connection in connections.all(initialized_only=True):
        try:
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
                continue
            with connection.wrap_database_errors:
                connection.connection.close()
        except Error:
            logger.debug("a task had closed the driver's connection", exc_info=True)  # which MariaDB's refuses twice
        del connections[connection.alias]
