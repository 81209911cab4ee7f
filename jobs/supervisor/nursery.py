"""The nursery: a small process that forks the workers, so that they share the memory of what was loaded once.

Forked from the supervisor before that has a thread or a connection, it never has one of its own: that makes its forks
safe. `Nursery` and `Child` are the supervisor's side of it.

A request is one byte with two files: the worker's end of its channel, and a pipe for reports. The worker reports its
pid there as the first thing it does, so that none lives which nobody could kill; the nursery reports its exit code.
From then on the nursery alone holds that pipe, so it also reports the death of the nursery.
"""

import contextlib
import gc
import json
import logging
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from django.db import connections

from jobs import processes, worker

logger = logging.getLogger("jobs.supervisor")

REPORT = struct.Struct("=ci")  # what a number is, and the number
PID, EXIT_CODE = b"p", b"e"
WAKE_BYTES = 4_096  # more signals than come at once

# What a nursery does that could not be forked: it loads the project, as the supervisor did.
FRESH_START = """\
import json, sys
paths, number, options = json.loads(sys.argv[1])
sys.path[:] = paths
from jobs import worker
worker.leave_signals_to_the_supervisor()
import django
django.setup()
from jobs.supervisor import nursery
nursery.serve_afresh(number, options)
"""


class Child:
    """A worker as a process: what its nursery reports of it. Readable when there is something new."""

    def __init__(self, status: int) -> None:
        os.set_blocking(status, False)
        self._status = status
        self._pidfd: int | None = None
        self._is_doomed = False  # to be killed as soon as its pid is known
        self.pid: int | None = None
        self.exit_code: int | None = None  # negative: the signal that ended it. None: it lives, or nobody can tell
        self.has_ended = False  # or its nursery has

    @property
    def is_orphan(self) -> bool:
        """Whether it had been started, and its nursery has died before it."""
        return self.has_ended and self.pid is not None and self.exit_code is None

    def fileno(self) -> int:
        return self._status

    def look(self) -> bool:
        """Take in what was reported, without waiting. Return whether it has ended, or its nursery has."""
        try:
            reported = os.read(self._status, 2 * REPORT.size)
        except BlockingIOError:
            return self.has_ended
        for kind, number in REPORT.iter_unpack(reported):
            if kind == PID:
                self._note_pid(number)
            else:
                self.exit_code = number
        self.has_ended = not reported or self.exit_code is not None
        return self.has_ended

    def _note_pid(self, pid: int) -> None:
        self.pid = pid
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(ProcessLookupError):
                self._pidfd = os.pidfd_open(pid)
        if self._is_doomed:
            self.kill()

    def kill(self) -> None:
        self._is_doomed = True
        if self.pid is None or self.exit_code is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGKILL)

    def join(self, seconds: float) -> None:
        """Wait that long at most until it has ended, or its nursery has."""
        deadline = time.monotonic() + seconds
        while not self.has_ended and _is_readable(self._status, deadline):
            self.look()

    def join_orphan(self, seconds: float) -> None:
        """Wait that long at most until it has ended, though its nursery can no longer say so."""
        if self.is_orphan and self._pidfd is not None:
            _is_readable(self._pidfd, time.monotonic() + seconds)

    def close(self) -> None:
        os.close(self._status)
        if self._pidfd is not None:
            os.close(self._pidfd)


def _is_readable(number: int, deadline: float) -> bool:
    """Wait until then at most, and return whether there is something to read."""
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1_000))


class Nursery:
    """Starts workers. When its process has died, the next worker comes from another one."""

    def __init__(self, options: worker.Options) -> None:
        self.options = options
        self._begin()

    def _begin(self) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            if _may_fork():
                self._process: _Forked | subprocess.Popen[bytes] = _fork(self._requests, theirs, self.options)
            else:
                self._process = _spawn(theirs, self.options)

    @property
    def pid(self) -> int:
        return self._process.pid

    def start_worker(self, end: socket.socket) -> Child:
        """Start a worker with this end of its channel, which the caller then closes."""
        reader, writer = os.pipe()
        try:
            self._ask(end.fileno(), writer)
        finally:
            os.close(writer)
        return Child(reader)

    def _ask(self, *files: int) -> None:
        try:
            socket.send_fds(self._requests, [b"+"], files)
        except ConnectionError:
            logger.error("the nursery died pid=%s: starting another one", self.pid)  # noqa: TRY400 - says it all
            self.end()
            self._begin()
            with contextlib.suppress(ConnectionError):  # then the worker is heard to have died, and is tried again
                socket.send_fds(self._requests, [b"+"], files)

    def end(self) -> None:
        """End it at once, which no worker notices."""
        self._requests.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _may_fork() -> bool:
    """Return whether a fork of this process is safe: a lock that another thread holds would never be free in the copy.

    Elsewhere than on Linux, system libraries have threads of their own, and what was forked cannot wear a mark.
    """
    return sys.platform == "linux" and hasattr(os, "memfd_create") and threading.active_count() == 1


class _Forked:
    """A child of this process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._is_gone = False

    def kill(self) -> None:
        if not self._is_gone:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        if not self._is_gone:
            os.waitpid(self.pid, 0)
            self._is_gone = True


def _fork(ours: socket.socket, theirs: socket.socket, options: worker.Options) -> _Forked:
    connections.close_all()  # of an app that queried while it loaded: SQLite's locks do not survive a fork
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or what it holds would be printed twice
    gc.freeze()  # or looking for garbage would write to, and so copy, every page that is shared
    pid = os.fork()
    if pid == 0:
        _leave_after(lambda: _serve(ours, theirs, options))
    return _Forked(pid)


def _serve(ours: socket.socket, theirs: socket.socket, options: worker.Options) -> None:
    ours.close()  # or the end of the supervisor would go unnoticed
    _Server(theirs, options).run()


def _spawn(theirs: socket.socket, options: worker.Options) -> subprocess.Popen[bytes]:
    arguments = json.dumps([sys.path, theirs.fileno(), asdict(options)])
    # -P: without it, Python would first look for `json` in the directory that the supervisor was started in.
    command = [sys.executable, "-P", "-c", FRESH_START, arguments]
    return subprocess.Popen(command, pass_fds=[theirs.fileno()])  # noqa: S603 - our own


def serve_afresh(number: int, options: dict[str, Any]) -> NoReturn:
    """Be a nursery that was not forked. `number` is that of the socket for requests."""
    requests = socket.socket(fileno=number)
    requests.set_inheritable(False)
    connections.close_all()
    gc.freeze()
    _leave_after(_Server(requests, worker.Options(**options)).run)


def _leave_after(run: Callable[[], None]) -> NoReturn:
    """Call `run`, then end this process: nothing of the one it was forked from may go on here, not even its exit."""
    code = 1
    try:
        run()
        code = 0
    except BaseException:
        logger.exception("a process that starts or runs jobs failed pid=%s", os.getpid())
    finally:
        os._exit(code)


class _Server:
    """The nursery itself."""

    def __init__(self, requests: socket.socket, options: worker.Options) -> None:
        self._requests = requests
        self._options = options
        self._pipes: dict[int, int] = {}  # of each living worker, by its pid
        self._wake_reader, self._wake_writer = socket.socketpair()

    def run(self) -> None:
        """Fork workers until the supervisor is gone."""
        self._listen_to_signals()
        processes.wear_mark()
        if sys.stdin is not None:
            sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - for the rest of the process
        poll = select.poll()
        for source in (self._requests, self._wake_reader):
            poll.register(source, select.POLLIN)
        while True:
            ready = {number for number, _ in poll.poll()}
            if self._wake_reader.fileno() in ready:
                self._wake_reader.recv(WAKE_BYTES)
                self._report_ends()
            if self._requests.fileno() in ready and not self._obey():
                signal.set_wakeup_fd(-1)  # workers end now, too, and nobody holds the socket any more
                return

    def _listen_to_signals(self) -> None:
        worker.leave_signals_to_the_supervisor()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wake_writer.setblocking(False)
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)

    def _obey(self) -> bool:
        """Start a worker. Return False when no more will be asked for."""
        try:
            request, files, _, _ = socket.recv_fds(self._requests, 1, 2)
        except ConnectionError:
            return False
        if len(files) == 2:
            self._start_worker(*files)
        else:  # too many files are open: the supervisor hears that the worker has died
            for number in files:
                os.close(number)
        return bool(request)

    def _start_worker(self, end: int, pipe: int) -> None:
        for number in (end, pipe):
            os.set_inheritable(number, False)
        try:
            pid = os.fork()
        except OSError:
            logger.exception("cannot start a worker")
            os.close(end)
            os.close(pipe)
            return
        if pid == 0:
            _leave_after(lambda: self._become_worker(end, pipe))
        os.close(end)
        self._pipes[pid] = pipe

    def _become_worker(self, end: int, pipe: int) -> None:
        """Keep nothing of the nursery's: a pipe that stays open here would hide its death, and that of a worker."""
        _report(pipe, PID, os.getpid())
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for held in (self._requests, self._wake_reader, self._wake_writer):
            held.close()
        for number in (pipe, *self._pipes.values()):
            os.close(number)
        worker.main(socket.socket(fileno=end), self._options)

    def _report_ends(self) -> None:
        for pid, pipe in list(self._pipes.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                _report(pipe, EXIT_CODE, os.waitstatus_to_exitcode(status))
                os.close(pipe)
                del self._pipes[pid]


def _report(pipe: int, kind: bytes, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # a worker that was let go: nobody asks any more
        os.write(pipe, REPORT.pack(kind, number))
