"""The control thread: hands jobs to workers, keeps workers alive, obeys signals and deadlines. Never waits for a database."""

import logging
import os
import selectors
import signal
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, connections

import jobs
from jobs import conf, processes, sql, worker
from jobs.outcome import Claim, Outcome, Output
from jobs.queue import Ended
from jobs.states import Ending
from jobs.supervisor.desk import Desk, News, Running, Wishes
from jobs.supervisor.pacing import Pace
from jobs.supervisor.pool import Handle
from jobs.supervisor.store import Store

logger = logging.getLogger("jobs.supervisor")

TICK_SECONDS = 0.5  # between two looks at deadlines when nothing happens
STUCK_SECONDS = 0.1  # a job that runs longer keeps those behind it waiting: they are called back
IDLE_CLAIM_SECONDS = 1.0  # how long a claim that no worker can take is kept before it is released
RESTART_SECONDS = (0.1, 10.0)  # pause before a new worker after one death, and after many in a row
STOP_OVERTIME_SECONDS = 10.0  # beyond the grace: for ending trees, and for a database that comes back
LEASE_SHARE = 0.8  # of the lease without a heartbeat: then jobs are ended, before another supervisor starts them


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `worker start` was told. `queues` of None: all. Limits of None: none."""

    worker_count: int = 1
    thread_count: int = 1
    queues: tuple[str, ...] | None = None
    drain: bool = False
    max_jobs: int | None = None
    grace_seconds: float = 30.0
    recycle_jobs: int | None = None
    recycle_mb: int | None = None


def run(options: Options, *, announce: Callable[[str], None]) -> int:
    """Work until told to stop; return the exit code. `announce` gets the lines a person sees. Raise what the database does."""
    marker = uuid.uuid4().hex
    os.environ[processes.SUPERVISOR_VARIABLE] = marker  # inherited by every process below
    processes.become_subreaper()
    desk = Desk()
    store = Store(desk=desk, description=_description(options, marker), queues=options.queues)
    sql.for_connection(connection).check(connection)
    supervisor_id = store.register()
    connections.close_all()
    logger.info("supervisor started id=%s pid=%s workers=%s", supervisor_id, os.getpid(), options.worker_count)
    return Control(options, desk=desk, store=store, announce=announce).run()


def _description(options: Options, marker: str) -> dict[str, Any]:
    identity = processes.own_identity()
    return {
        "marker": marker,
        "host": socket.gethostname(),
        "machine": identity.machine,
        "pid": identity.pid,
        "process_started": identity.started,
        "version": jobs.__version__,
        "queues": None if options.queues is None else list(options.queues),
        "worker_count": options.worker_count,
        "thread_count": options.thread_count,
        "lease_seconds": conf.lease_seconds(),
    }


class Control:
    def __init__(
        self, options: Options, *, desk: Desk, store: Store, announce: Callable[[str], None]
    ) -> None:
        self._options = options
        self._desk = desk
        self._store = store
        self._announce = announce
        self._worker_options = worker.Options(
            thread_count=options.thread_count, grace_seconds=conf.seconds("KILL_GRACE_SECONDS")
        )
        self._selector = selectors.DefaultSelector()
        self._workers: list[Handle] = []
        self._buffer: deque[Claim] = deque()  # claimed, and in no worker's hands
        self._buffered_since = 0.0
        self._pace = Pace()
        self._taken_count = 0
        self._deaths = 0  # of workers, since one last finished a job
        self._next_start = 0.0
        self._stop_signals = 0
        self._stop_at: float | None = None  # when the grace ends; None: not stopping
        self._is_ending = False  # the grace is over, running jobs have been told to end
        self._lease_seconds = conf.lease_seconds()

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._selector.register(self._desk, selectors.EVENT_READ)
        self._store.start()
        while not self._is_done():
            self._turn()
        return self._finish()

    def _on_signal(self, *_: object) -> None:
        self._stop_signals += 1
        self._desk.ring()

    def _turn(self) -> None:
        for key, events in self._selector.select(self._pause_seconds()):
            if isinstance(key.data, Handle):
                self._hear(key.data, key.fileobj, events)
        self._read_news(self._desk.take_news())
        self._mind_stopping()
        self._mind_lease()
        self._mind_workers()
        self._mind_jobs()
        self._dispatch()
        self._desk.wish(self._wishes())

    def _pause_seconds(self) -> float:
        now = time.monotonic()
        moments = [now + TICK_SECONDS]
        moments += [held.kill_at for handle in self._workers for held in handle.held.values() if held.kill_at]
        if self._stop_at is not None and not self._is_ending:
            moments.append(self._stop_at)
        if len(self._workers) < self._options.worker_count:
            moments.append(self._next_start)
        if self._is_anyone_stuck():
            moments.append(now + STUCK_SECONDS)
        return max(0.0, min(moments) - now)

    # Hearing workers.

    def _hear(self, handle: Handle, fileobj: object, events: int) -> None:
        if fileobj is not handle.channel:
            self._lose(handle)
            return
        if events & selectors.EVENT_WRITE:
            handle.channel.flush()
        if events & selectors.EVENT_READ:
            try:
                for message in handle.channel.receive():
                    self._obey(handle, message)
            except EOFError:
                handle.kill()  # it may live on without its channel; its end is heard from its sentinel
                self._selector.unregister(handle.channel)
                return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if handle.channel.has_unsent else 0)
        self._selector.modify(handle.channel, wanted, handle)

    def _obey(self, handle: Handle, message: dict[str, Any]) -> None:
        if "ended" in message:
            self._note_end(handle, message)
        elif "returned" in message:
            for id_, fence in message["returned"]:
                self._note_return(handle.take_back((id_, fence)))
        elif "running" in message:
            self._note_running(handle, message)
        elif "ready" in message:
            handle.note_ready(message["ready"])
            self._announce(f"Worker (PID: {handle.pid}) started. Watching for jobs...")

    def _note_end(self, handle: Handle, message: dict[str, Any]) -> None:
        id_, fence = message["ended"]
        claim = handle.take_back((id_, fence))
        handle.rss_bytes = message.get("rss_bytes", handle.rss_bytes)
        handle.ended_count += 1
        self._deaths = 0
        if claim is not None:
            outcome = Outcome.from_wire(message["outcome"])
            self._pace.note(outcome.run_seconds)
            self._desk.put_ended([Ended(claim=claim, outcome=outcome)])

    def _note_return(self, claim: Claim | None) -> None:
        if claim is not None:
            self._put_in_buffer([claim])

    def _put_in_buffer(self, claims: Iterable[Claim]) -> None:
        if not self._buffer:
            self._buffered_since = time.monotonic()
        self._buffer.extend(claims)

    def _note_running(self, handle: Handle, message: dict[str, Any]) -> None:
        id_, fence = message["running"]
        held = handle.held.get((id_, fence))
        if held is not None:
            self._desk.put_running(
                Running(
                    claim=held.claim,
                    pid=message["pid"],
                    started_at=datetime.fromtimestamp(message["started_at"], UTC),
                    output=Output(**message["output"]),
                )
            )

    # Hearing the store.

    def _read_news(self, news: News) -> None:
        if news.is_lease_lost:
            self._start_over()
            return
        self._taken_count += len(news.claims)
        self._put_in_buffer(news.claims)
        for key in news.cancels:
            for handle in self._workers:
                handle.end(key, Ending.CANCELLED)
            self._release([claim for claim in self._buffer if (claim.id, claim.fence) == key])
        if news.is_stop_asked:
            grace = self._options.grace_seconds if news.stop_grace_seconds is None else news.stop_grace_seconds
            self._stop(grace)

    def _release(self, claims: list[Claim]) -> None:
        """Give back claims that were never started."""
        for claim in claims:
            self._buffer.remove(claim)
        self._taken_count -= len(claims)
        self._desk.put_ended([Ended(claim=claim, outcome=None) for claim in claims])

    def _start_over(self) -> None:
        """The lease is lost: end everything that runs, record nothing, and come back as new."""
        self._buffer.clear()
        for handle in list(self._workers):
            handle.held.clear()
            handle.kill()
            handle.process.join()
            self._drop(handle)
        processes.kill_orphans()
        self._desk.fresh_start.set()

    # Stopping.

    def _stop(self, grace_seconds: float) -> None:
        moment = time.monotonic() + grace_seconds
        if self._stop_at is None:
            logger.info("stopping: %s jobs run, grace %g s", sum(len(h.running()) for h in self._workers), grace_seconds)
        if self._stop_at is None or moment < self._stop_at:
            self._stop_at = moment

    def _mind_stopping(self) -> None:
        if self._stop_signals:
            self._stop(self._options.grace_seconds if self._stop_at is None and self._stop_signals == 1 else 0)
            self._stop_signals = 0
        if self._stop_at is None and self._is_work_over():
            self._stop(self._options.grace_seconds)
        if self._stop_at is None:
            return
        self._release(list(self._buffer))
        for handle in self._workers:
            if len(handle.held) > self._options.thread_count and not handle.is_recalled:
                handle.recall()
        if time.monotonic() >= self._stop_at and not self._is_ending:
            self._end_all()

    def _is_work_over(self) -> bool:
        """Whether `--max-jobs` is reached, or `--drain` has found nothing more."""
        if self._options.max_jobs is not None and self._taken_count >= self._options.max_jobs:
            return not self._is_anything_held()
        return self._options.drain and self._desk.is_dry and not self._is_anything_held()

    def _is_anything_held(self) -> bool:
        return bool(self._buffer) or any(handle.held for handle in self._workers)

    def _end_all(self) -> None:
        """The grace is over: what runs is ended and released."""
        self._is_ending = True
        for handle in self._workers:
            for key in list(handle.held):
                handle.end(key, Ending.RELEASED)

    def _is_done(self) -> bool:
        if self._stop_at is None:
            return False
        is_settled = not self._is_anything_held() and not self._desk.has_unrecorded
        return is_settled or time.monotonic() > self._stop_at + STOP_OVERTIME_SECONDS

    def _finish(self) -> int:
        """Let the workers go, let the store write its last words, and return the exit code."""
        for handle in self._workers:
            handle.close()
        self._desk.wish(Wishes(is_closing=True))
        self._store.join(STOP_OVERTIME_SECONDS / 2)
        for handle in self._workers:
            handle.process.join(1.0)
            if handle.process.exitcode is None:
                handle.process.kill()
        processes.kill_orphans()
        if not self._store.is_finished:
            logger.error("stopped, but the database did not take everything; others will run these jobs again")
            return 1
        logger.info("stopped")
        return 0

    # Minding.

    def _mind_lease(self) -> None:
        """End running jobs before the lease can pass, if the database has not taken a heartbeat for that long."""
        silent_seconds = time.monotonic() - self._desk.renewed
        if silent_seconds > LEASE_SHARE * self._lease_seconds and self._is_anything_held():
            logger.error("no heartbeat could be stored for %.0f s: ending all jobs", silent_seconds)
            self._buffer.clear()
            for handle in self._workers:
                handle.kill()

    def _mind_workers(self) -> None:
        for handle in self._workers:
            if handle.is_ready and self._is_worn(handle):
                handle.is_leaving = True
        for handle in [handle for handle in self._workers if handle.is_leaving and not handle.held]:
            self._drop(handle)
        is_due = self._stop_at is None and time.monotonic() >= self._next_start
        while is_due and len(self._workers) < self._options.worker_count:
            self._start_worker()

    def _is_worn(self, handle: Handle) -> bool:
        options = self._options
        if options.recycle_jobs is not None and handle.ended_count >= options.recycle_jobs:
            return True
        return options.recycle_mb is not None and handle.rss_bytes > options.recycle_mb * 1024 * 1024

    def _start_worker(self) -> None:
        handle = Handle(self._worker_options)
        self._workers.append(handle)
        self._selector.register(handle.channel, selectors.EVENT_READ, handle)
        self._selector.register(handle.process.sentinel, selectors.EVENT_READ, handle)

    def _drop(self, handle: Handle) -> None:
        """Let go of a worker, dead or without work."""
        self._workers.remove(handle)
        for fileobj in (handle.channel, handle.process.sentinel):
            if fileobj in self._selector.get_map():
                self._selector.unregister(fileobj)
        handle.close()

    def _lose(self, handle: Handle) -> None:
        """A worker died: record what it ran as lost, end what it left, and put another in its place."""
        handle.kill()  # in case only the server that forked it died
        handle.process.join()
        ended, unstarted = handle.bury()
        logger.warning("worker died pid=%s exit_code=%s jobs=%s", handle.pid, handle.process.exitcode, len(ended))
        self._drop(handle)
        processes.kill_orphans()
        self._desk.put_ended(ended)
        self._put_in_buffer(unstarted)
        self._deaths += 1
        first, last = RESTART_SECONDS
        self._next_start = time.monotonic() + (0 if self._deaths == 1 else min(last, first * 2**self._deaths))

    def _mind_jobs(self) -> None:
        """Kill workers that did not end a job in time; call back what waits behind a long job."""
        now = time.monotonic()
        for handle in self._workers:
            if any(held.kill_at is not None and now >= held.kill_at for held in handle.held.values()):
                logger.error("worker stuck pid=%s: killing it", handle.pid)
                handle.kill()
        for handle in self._workers:
            if self._is_stuck(handle) and not handle.is_recalled:
                handle.recall()
        if self._buffer and now - self._buffered_since > IDLE_CLAIM_SECONDS:
            self._release(list(self._buffer))

    def _is_anyone_stuck(self) -> bool:
        return any(len(handle.held) > self._options.thread_count and not handle.is_recalled for handle in self._workers)

    def _is_stuck(self, handle: Handle) -> bool:
        running = handle.running()
        if len(handle.held) <= len(running):
            return False
        now = time.monotonic()
        return all(held.started is not None and now - held.started > STUCK_SECONDS for held in running)

    # Handing out.

    def _dispatch(self) -> None:
        """Hand claims to the workers that hold least, up to what each may hold."""
        if self._stop_at is not None:
            return
        while self._buffer:
            handle = min((h for h in self._workers if h.is_ready), key=lambda h: len(h.held), default=None)
            space = 0 if handle is None else self._space(handle)
            if handle is None or space < 1:
                return
            count = min(space, max(1, -(-len(self._buffer) // len(self._workers))))
            handle.hand_over([self._buffer.popleft() for _ in range(min(count, len(self._buffer)))])

    def _space(self, handle: Handle) -> int:
        """Return how many more jobs a worker may hold. Behind a long job nobody is made to wait."""
        threads = self._options.thread_count
        most = threads * self._pace.jobs_per_thread() if not handle.is_recalled else threads
        if self._options.recycle_jobs is not None:
            most = min(most, self._options.recycle_jobs - handle.ended_count)
        return most - len(handle.held)

    def _wishes(self) -> Wishes:
        ready = [handle for handle in self._workers if handle.is_ready]
        return Wishes(
            room=self._room(ready),
            is_hungry=self._stop_at is not None or any(len(h.held) < self._options.thread_count for h in ready),
            workers=[handle.as_row() for handle in self._workers if handle.pid is not None],
        )

    def _room(self, ready: list[Handle]) -> int:
        if self._stop_at is not None:
            return 0
        room = sum(max(0, self._space(handle)) for handle in ready) - len(self._buffer)
        if self._options.max_jobs is not None:
            room = min(room, self._options.max_jobs - self._taken_count)
        return max(0, room)
