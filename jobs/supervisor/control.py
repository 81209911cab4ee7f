"""The control thread: hands out jobs, obeys signals, requests and deadlines. Never waits for a database."""

import gc
import logging
import os
import signal
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import connections

import jobs
from jobs import conf, identities, processes, sql, worker
from jobs.database import connection
from jobs.outcome import Claim, Outcome, Output
from jobs.queue import Ended
from jobs.states import Ending, Kind
from jobs.supervisor.desk import Desk, News, Running, Wishes
from jobs.supervisor.nursery import Nursery
from jobs.supervisor.options import Options
from jobs.supervisor.pacing import Pace
from jobs.supervisor.pool import Handle, Held
from jobs.supervisor.reloading import SourceWatch, start_over
from jobs.supervisor.store import Store
from jobs.supervisor.team import Message, Team

logger = logging.getLogger("jobs.supervisor")

GATHER_SECONDS = 0.004  # for many ends to be heard of at once, while every worker has work for longer
TICK_SECONDS = 0.5  # between two looks at deadlines when nothing happens
IDLE_CLAIM_SECONDS = 1.0  # how long a claim that no worker can take is kept before it is released
STOP_OVERTIME_SECONDS = 10.0  # beyond the grace, and that of a tree that is ended: for a database that comes back
DISMISS_SECONDS = 2.0  # for workers without work to exit
LEASE_SHARE = 0.8  # of the lease without a heartbeat: then jobs are ended, before another supervisor starts them


def run(options: Options, *, announce: Callable[[str], None]) -> int:
    """Work until told to stop; return the exit code. `announce` gets the lines a person sees.

    Raise DatabaseError or DatabaseUnavailable if the database cannot be used when it starts.
    """
    marker = uuid.uuid4().hex
    os.environ[processes.SUPERVISOR_VARIABLE] = marker  # inherited by every process below
    processes.become_subreaper()
    grace_seconds = conf.seconds("KILL_GRACE_SECONDS")
    with Nursery(worker.Options(thread_count=options.thread_count, grace_seconds=grace_seconds)) as nursery:
        return _run(options, marker=marker, team=Team(options, nursery=nursery, announce=announce))


def _run(options: Options, *, marker: str, team: Team) -> int:
    desk = Desk()
    store = Store(desk=desk, description=_description(options, marker), queues=options.queues)
    supervisor_id = store.register_patiently()
    connections.close_all()
    _warn()
    logger.info("supervisor started id=%s pid=%s workers=%s", supervisor_id, os.getpid(), options.worker_count)
    return Control(options, desk=desk, store=store, team=team).run()


def _warn() -> None:
    """Say what endangers the jobs, or others by them. Nothing of that is found out by working."""
    if os.geteuid() == 0:
        logger.warning("running as root: every job will be root too; better give the worker a user of its own")
    kind = sql.for_connection(connection).network_file_system(connection)
    if kind is not None:
        logger.warning("the database is on %s: SQLite's locks do not work there; move it to a local disk", kind)


def _description(options: Options, marker: str) -> dict[str, Any]:
    identity = identities.own()
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
        "lease_seconds": conf.lease_seconds(default=sql.for_connection(connection).LEASE_SECONDS),
    }


class Control:
    def __init__(self, options: Options, *, desk: Desk, store: Store, team: Team) -> None:
        self._options = options
        self._desk = desk
        self._store = store
        self._team = team
        self._buffer: deque[Claim] = deque()  # claimed, and in no worker's hands
        self._buffered_since = 0.0
        self._pace = Pace()
        self._taken_count = 0
        self._source = SourceWatch() if options.reload else None
        self._stop_signals = 0
        self._stop_at: float | None = None  # monotonic time at which the grace ends; None: not stopping
        self._is_lease_at_risk = False  # so all jobs have been ended, and none is begun
        self._is_ending = False  # the grace is over, running jobs have been told to end
        self._starts_over = False  # once it has stopped
        self._overtime_seconds = STOP_OVERTIME_SECONDS + conf.seconds("KILL_GRACE_SECONDS")
        self._lease_seconds = conf.lease_seconds(default=sql.for_connection(connection).LEASE_SECONDS)

    def run(self) -> int:
        for number in worker.STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        gc.freeze()  # what is loaded by now stays; looking through it again and again took 7 % of a busy supervisor
        self._team.listen_to(self._desk)
        self._store.start()
        while not self._is_done():
            self._turn()
        exit_code = self._finish()
        for number in worker.STOP_SIGNALS:  # Python drops handlers as it exits: one more would look like a death
            signal.signal(number, signal.SIG_IGN)
        return exit_code

    def _on_signal(self, *_: object) -> None:
        self._stop_signals += 1
        self._desk.ring()

    def _turn(self) -> None:
        if self._has_time():
            self._desk.wait_for_news(GATHER_SECONDS)  # to hear of each end alone costs more than all else
        for handle, messages in self._team.listen(self._pause_seconds()):
            self._obey(handle, messages)
        self._read_news(self._desk.take_news())
        self._mind_source()
        self._mind_stopping()
        self._mind_lease()
        self._store.mind_silence()
        self._team.mind_jobs()
        if self._stop_at is None:
            self._team.renew()
        if self._stop_at is None and not self._is_lease_at_risk:
            self._hand_out()
        self._desk.wish(self._wishes())

    def _has_time(self) -> bool:
        """Whether nobody waits for anything: every worker has work in hand for longer than the pause."""
        enough = self._pace.jobs_in(2 * GATHER_SECONDS)
        handles = self._team.handles
        return self._stop_at is None and bool(handles) and all(handle.waiting_count > enough for handle in handles)

    def _pause_seconds(self) -> float:
        now = time.monotonic()
        moments = [now + TICK_SECONDS, *self._team.deadlines()]
        if self._stop_at is None:
            moments += self._team.starts()  # while it stops, none comes: that moment would be past in every turn
        elif not self._is_ending:
            moments.append(self._stop_at)
        return max(0.0, min(moments) - now)

    # What workers say.

    def _obey(self, handle: Handle, messages: list[Message]) -> None:
        ended: list[Ended] = []
        for message in messages:
            if "ended" in message:
                ended += self._ended(handle, message)
            elif "returned" in message:
                for id_, fence in message["returned"]:
                    self._note_return(handle.take_back((id_, fence)))
            elif "running" in message:
                self._note_running(handle, message)
            elif "died" in message:
                lost, unstarted = handle.settle()
                logger.warning("worker died pid=%s exit_code=%s jobs=%s", handle.pid, message["died"], len(lost))
                ended += lost
                self._put_in_buffer(unstarted)
        handle.note_starts()
        self._desk.put_ended(ended)

    def _ended(self, handle: Handle, message: Message) -> list[Ended]:
        """Return the end that a worker tells of; none if its job is not ours any more."""
        id_, fence = message["ended"]
        held = handle.take_back((id_, fence))
        if held is None:
            return []
        outcome = Outcome.from_wire(message["outcome"])
        self._pace.note(outcome.run_seconds)
        if held.claim.kind == Kind.TASK and (held.is_asked_to_end or outcome.ending is Ending.TIMED_OUT):
            handle.has_interrupted = True
        return [Ended(held.claim, outcome)]

    def _note_return(self, held: Held | None) -> None:
        if held is None:
            return
        self._put_in_buffer([held.claim])
        if held.is_asked_to_end:
            self._release([held.claim])

    def _note_running(self, handle: Handle, message: Message) -> None:
        id_, fence = message["running"]
        held = handle.held.get((id_, fence))
        if held is None:
            return
        started_at = datetime.fromtimestamp(message["started_at"], UTC)
        output = Output._make(message["output"])
        held.running = Running(claim=held.claim, pid=message["pid"], started_at=started_at, output=output)
        self._desk.put_running(held.running)

    def _put_in_buffer(self, claims: Iterable[Claim]) -> None:
        if not self._buffer:
            self._buffered_since = time.monotonic()
        self._buffer.extend(claims)

    # What the store says.

    def _read_news(self, news: News) -> None:
        if news.is_lease_lost:
            self._start_over()
        self._taken_count += len(news.claims)
        self._put_in_buffer(news.claims)
        for key in news.cancels:
            for handle in self._team.handles:
                handle.end(key, Ending.CANCELLED)
            self._release([claim for claim in self._buffer if claim.key == key])
        if news.is_stop_asked:
            self._stop(self._options.grace_seconds if news.stop_grace_seconds is None else news.stop_grace_seconds)

    def _release(self, claims: list[Claim]) -> None:
        """Give back claims that were never started."""
        for claim in claims:
            self._buffer.remove(claim)
        self._taken_count -= len(claims)
        self._desk.put_ended([Ended(claim=claim, outcome=None) for claim in claims])

    def _start_over(self) -> None:
        """The lease is lost: end everything that runs, record nothing, and come back as new."""
        self._buffer.clear()
        self._team.wipe_out()
        self._desk.fresh_start.set()

    def _mind_lease(self) -> None:
        """End running jobs before the lease can pass, if the database has not taken a heartbeat for that long."""
        silent_seconds = time.monotonic() - self._desk.renewed
        was_at_risk = self._is_lease_at_risk
        self._is_lease_at_risk = silent_seconds > LEASE_SHARE * self._lease_seconds
        if not self._is_lease_at_risk:
            return
        self._release(list(self._buffer))
        if not was_at_risk and self._is_anything_held():
            reason = f"no heartbeat could be stored for {silent_seconds:.0f} s"
            logger.error("%s: ending all jobs", reason)
            self._team.kill_all(f"ended with its lease: {reason}")

    def _mind_source(self) -> None:
        """Begin to stop if the code has changed; `run` then starts over with the new one."""
        if self._stop_at is None and self._source is not None and self._source.has_changed():
            self._starts_over = True
            self._stop(self._options.grace_seconds)

    # Stopping.

    def _stop(self, grace_seconds: float) -> None:
        """Begin to stop, or shorten the grace of a stop that has begun."""
        moment = time.monotonic() + grace_seconds
        if self._stop_at is None:
            logger.info("stopping: %s jobs run, grace %g s", self._team.running_count(), grace_seconds)
        if self._stop_at is None or moment < self._stop_at:
            self._stop_at = moment

    def _mind_stopping(self) -> None:
        if self._stop_signals:
            is_first = self._stop_at is None and self._stop_signals == 1
            self._starts_over = False
            self._stop(self._options.grace_seconds if is_first else 0)
            self._stop_signals = 0
        elif self._stop_at is None and self._is_work_over():
            self._stop(self._options.grace_seconds)
        if self._stop_at is None:
            return
        self._release(list(self._buffer))
        for handle in self._team.handles:
            handle.recall()
        if time.monotonic() >= self._stop_at and not self._is_ending:
            self._end_all()

    def _is_work_over(self) -> bool:
        """Whether `--max-jobs` is reached, or `--drain` has found nothing more."""
        is_enough = self._options.max_jobs is not None and self._taken_count >= self._options.max_jobs
        is_dry = self._options.drain and self._desk.is_dry
        return (is_enough or is_dry) and not self._is_anything_held()

    def _is_anything_held(self) -> bool:
        return bool(self._buffer) or self._team.is_anything_held()

    def _end_all(self) -> None:
        """The grace is over: what runs is ended and released."""
        self._is_ending = True
        for handle in self._team.handles:
            for key in list(handle.held):
                handle.end(key, Ending.RELEASED)

    def _is_done(self) -> bool:
        if not self._store.is_alive():
            return True
        if self._stop_at is None:
            return False
        is_settled = not self._is_anything_held() and not self._desk.has_unrecorded
        return is_settled or time.monotonic() > self._stop_at + self._overtime_seconds

    def _finish(self) -> int:
        """Let the workers go, let the store write its last words, and return the exit code."""
        is_anything_held = self._is_anything_held()
        self._team.dismiss(DISMISS_SECONDS)
        # Only now: jobs of a supervisor that says it has stopped are taken back at once, and must not run any more.
        self._desk.wish(Wishes(is_closing=True))
        self._store.join(STOP_OVERTIME_SECONDS / 2)
        if not self._store.is_finished:
            logger.error("stopped, but the database did not take everything; these jobs will run again")
            return 1
        if is_anything_held:
            logger.error("stopped, but not all jobs could be ended in time; these will run again")
            return 1
        logger.info("stopped")
        if self._starts_over:
            start_over()
        return 0

    # Handing out.

    def _hand_out(self) -> None:
        """Hand claims to the workers that hold least, up to what each may hold."""
        while self._buffer:
            ready = self._team.ready()
            handle = min(ready, key=lambda handle: len(handle.held), default=None)
            space = 0 if handle is None else self._space(handle)
            if handle is None or space < 1:
                break
            share = -(-len(self._buffer) // len(ready))
            self._desk.put_ended(handle.hand_over([self._buffer.popleft() for _ in range(min(space, share))]))
        if self._buffer and time.monotonic() - self._buffered_since > IDLE_CLAIM_SECONDS:
            self._release(list(self._buffer))

    def _space(self, handle: Handle) -> int:
        """Return how many more jobs a worker may hold. Behind a long job nobody is made to wait."""
        most = self._options.thread_count
        if not handle.is_recalled:
            most *= self._pace.jobs_per_thread()
        if self._options.recycle_jobs is not None:
            most = min(most, self._options.recycle_jobs - handle.ended_count)
        return most - len(handle.held)

    def _wishes(self) -> Wishes:
        ready = self._team.ready()
        return Wishes(
            room=self._room(ready),
            is_hungry=self._stop_at is not None or any(not handle.is_busy for handle in ready),
            workers=[handle.as_row() for handle in self._team.handles if handle.pid is not None],
        )

    def _room(self, ready: list[Handle]) -> int:
        if self._stop_at is not None:
            return 0
        room = sum(max(0, self._space(handle)) for handle in ready) - len(self._buffer)
        if self._options.max_jobs is not None:
            room = min(room, self._options.max_jobs - self._taken_count)
        return max(0, room)
