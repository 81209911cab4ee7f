"""Runs one shell job: a command in a session of its own, ended together with everything it started.

Called by the worker, through `registry`. The exit of the command decides the outcome, not the end of its output: a
daemon that it left behind may hold the pipe open for ever.
"""

import logging
import os
import select
import shlex
import signal
import subprocess
import time
from typing import Any

from jobs import processes, signing
from jobs.new_job import RESERVED_ENV_PREFIX
from jobs.outcome import Advice, Claim, Outcome
from jobs.runners import Stop, Watch
from jobs.runners.capture import Capture
from jobs.runners.timing import BEAT_FIRST_SECONDS, BEAT_SECONDS, Clock
from jobs.states import Ending

logger = logging.getLogger(__name__)

EXIT_LATER = 75  # EX_TEMPFAIL of sysexits.h
EXIT_NEVER = 100  # a permanent failure in qmail and its descendants
EXIT_CANNOT_EXECUTE = 126  # as a shell answers: POSIX, "Exit Status for Commands"
EXIT_NOT_FOUND = 127

LEFTOVER_GRACE_SECONDS = 1.0  # for what a command left running; the job itself is over
KILL_SECONDS = 1.5  # a row is final 2 s after its grace time (P13); only what is stuck in the kernel takes longer
DRAIN_SECONDS = 1.0  # for a pipe that a process outside the tree keeps writing to
LOOK_SECONDS = 0.02  # between two looks at a tree that is ending
KILL_LOOK_SECONDS = 0.001  # a killed process takes about that long to go
READ_BYTES = 65_536  # what a pipe holds

ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR", processes.SUPERVISOR_VARIABLE)
LOCALE_PREFIX = "LC_"

ERRORS = {
    EXIT_LATER: ("exit code 75: asked to be run again later", Advice.LATER),
    EXIT_NEVER: ("exit code 100: asked never to be run again", Advice.NEVER),
}


def run(claim: Claim, *, stop: Stop, watch: Watch, grace_seconds: float) -> Outcome:
    """Run the command of a claim, and end what it leaves behind. What the queue did not sign is never run."""
    clock = Clock()
    if not signing.is_genuine(claim):
        return clock.outcome(ending=Ending.FAILED, advice=Advice.NEVER, error=signing.MISMATCH)
    if stop.ending is not None:
        return clock.outcome(ending=stop.ending)
    try:
        command = _Command(claim)
    except (OSError, ValueError) as problem:
        return clock.outcome(ending=Ending.FAILED, **_not_started(problem, claim.cwd))
    try:
        early = _wait(command, clock.deadline(claim.timeout_seconds), stop, watch)
        _end(command, early, grace_seconds)
        return _outcome(command, early, claim, clock)
    finally:
        command.close()


class _Command:
    """A started command: its process, the pipe it prints into, and what it has printed."""

    def __init__(self, claim: Claim) -> None:
        self._process, self._output_fd = _start(claim)
        self.pid = self._process.pid
        self.exit_code: int | None = None
        self.exited: float | None = None  # on the monotonic clock
        self.capture = Capture()
        self.shown_bytes = -1  # how much of the output the last beat showed; nothing, not even that there is none
        self._pidfd = _open_pidfd(self.pid)
        self._is_open = True
        self._poll = select.poll()
        self._poll.register(self._output_fd, select.POLLIN)
        if self._pidfd is not None:
            self._poll.register(self._pidfd, select.POLLIN)

    def listen(self, stop: Stop) -> None:
        """Let `turn` return when the stop is asked for."""
        self._poll.register(stop, select.POLLIN)

    def ignore(self, stop: Stop) -> None:
        self._poll.unregister(stop)

    def turn(self, seconds: float) -> None:
        """Wait that long at most for output, an exit or a stop, and take what came."""
        if self._pidfd is None and self.exit_code is None:
            seconds = min(seconds, LOOK_SECONDS)
            self.reap()
        for fd, _event in self._poll.poll(max(0.0, seconds) * 1000):
            if fd == self._output_fd:
                self._read()
            elif fd == self._pidfd:
                self.reap()

    def _read(self) -> bool:
        """Take what one read gives. Return whether there may be more."""
        try:
            data = os.read(self._output_fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._is_open = False
            self._poll.unregister(self._output_fd)
            return False
        self.capture.feed(data)
        return True

    def reap(self) -> bool:
        """Return whether the command has exited; the first time, take its exit code.

        Not through Popen, which calls it a success when something else took the exit code.
        """
        if self.exit_code is not None:
            return True
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return False
        self.exited = time.monotonic()
        self.exit_code = self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._pidfd is not None:
            self._poll.unregister(self._pidfd)
        return True

    def drain(self) -> None:
        """Take what is left in the pipe, once nothing of the tree is left to write more."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._is_open and self._read() and time.monotonic() < deadline:
            pass

    def close(self) -> None:
        if self.exit_code is None:
            _kill(self)
        processes.forget(self.pid)
        os.close(self._output_fd)
        if self._pidfd is not None:
            os.close(self._pidfd)


def _start(claim: Claim) -> tuple[subprocess.Popen[bytes], int]:
    """Return the process of the command, and where its output can be read without blocking."""
    arguments, env = _arguments(claim), _environment(claim)
    output_fd, write_fd = os.pipe()
    try:
        os.set_blocking(output_fd, False)
        return processes.start(arguments, cwd=claim.cwd, env=env, output_fd=write_fd), output_fd
    except BaseException:
        os.close(output_fd)
        raise
    finally:
        os.close(write_fd)


def _arguments(claim: Claim) -> list[str]:
    command = claim.command or ""
    if claim.uses_shell:
        return ["/bin/sh", "-c", "--", command]  # without the dashes, a command that begins with one would be options
    words = shlex.split(command)
    if not words:
        raise ValueError("the command is empty")
    return words


def _environment(claim: Claim) -> dict[str, str]:
    """Return all that a job sees: a short list of the worker's variables, its own, and what the queue tells it."""
    inherited = {name: os.environ[name] for name in os.environ if name in ENVIRONMENT or name.startswith(LOCALE_PREFIX)}
    own = {name: value for name, value in (claim.env or {}).items() if not name.startswith(RESERVED_ENV_PREFIX)}
    ours = {
        processes.JOB_VARIABLE: claim.id,
        processes.FENCE_VARIABLE: str(claim.fence),
        "QUEUECTL_ATTEMPT": str(claim.attempt),
        "QUEUECTL_QUEUE": claim.queue,
    }
    return inherited | own | ours


def _not_started(problem: OSError | ValueError, cwd: str | None) -> dict[str, Any]:
    """Return the exit code and the error of a command that could not be started."""
    if not isinstance(problem, OSError):
        return {"exit_code": EXIT_CANNOT_EXECUTE, "error": f"cannot start: {problem}"}
    if cwd is not None and problem.filename == cwd:
        return {"exit_code": EXIT_CANNOT_EXECUTE, "error": f"cannot start in {cwd!r}: {problem.strerror}"}
    what = f"cannot start {problem.filename!r}" if problem.filename else "cannot start"
    is_missing = isinstance(problem, FileNotFoundError)
    return {
        "exit_code": EXIT_NOT_FOUND if is_missing else EXIT_CANNOT_EXECUTE,
        "error": f"{what}: {problem.strerror}",
    }


def _open_pidfd(pid: int) -> int | None:
    """Return a descriptor that is readable once the process has exited. None: there is none to be had; look often."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _wait(command: _Command, deadline: float, stop: Stop, watch: Watch) -> Ending | None:
    """Wait until the command exits or must be ended. Return how it must be ended; None: it has exited by itself."""
    command.listen(stop)
    beat_at = time.monotonic() + BEAT_FIRST_SECONDS
    early = None
    while early is None and command.exit_code is None:
        command.turn(min(deadline, beat_at) - time.monotonic())
        now = time.monotonic()
        early = stop.ending or (Ending.TIMED_OUT if now >= deadline else None)
        if now >= beat_at:
            beat_at = now + BEAT_SECONDS
            _beat(command, watch)
    command.ignore(stop)
    return None if command.reap() else early


def _beat(command: _Command, watch: Watch) -> None:
    """Show new output, and reap what the command orphaned so far."""
    processes.reap_orphans()
    if command.capture.total_bytes != command.shown_bytes:
        command.shown_bytes = command.capture.total_bytes
        watch(command.pid, command.capture.output())


def _end(command: _Command, early: Ending | None, grace_seconds: float) -> None:
    """End the whole tree if the command must end early, else what it left running; then take the last of the output."""
    if early is not None:
        _end_tree(command, grace_seconds)
    elif processes.has_children():
        _end_tree(command, LEFTOVER_GRACE_SECONDS)
    command.drain()


def _end_tree(command: _Command, grace_seconds: float) -> None:
    """Ask every process of the job to terminate, awake if it was stopped; kill what is left after the grace time."""
    deadline = time.monotonic() + grace_seconds
    living = processes.signal_tree(command.pid, signal.SIGTERM, signal.SIGCONT)
    while living and time.monotonic() < deadline:
        command.turn(LOOK_SECONDS)
        living = processes.signal_tree(command.pid)
    if living:
        _kill(command)
    command.reap()


def _kill(command: _Command) -> None:
    """Kill the tree again and again, until none of it is left that could have forked meanwhile."""
    deadline = time.monotonic() + KILL_SECONDS
    while living := processes.kill_tree(command.pid):
        command.turn(KILL_LOOK_SECONDS)
        if time.monotonic() >= deadline:
            logger.warning("process %d: %d processes of its tree withstand SIGKILL", command.pid, living)
            return
    command.reap()


def _outcome(command: _Command, early: Ending | None, claim: Claim, clock: Clock) -> Outcome:
    """Say how the attempt ended: as it had to, or as its exit code says."""
    error, advice = None, Advice.RETRY
    if early is Ending.TIMED_OUT:
        error = f"timed out after {claim.timeout_seconds:g} s"
    elif early is None and command.exit_code:
        error, advice = _failure(command.exit_code)
    return clock.outcome(
        ended=command.exited,
        ending=early or (Ending.FAILED if command.exit_code else Ending.COMPLETED),
        advice=advice,
        pid=command.pid,
        exit_code=command.exit_code,
        error=error,
        output=command.capture.output(),
    )


def _failure(exit_code: int) -> tuple[str, Advice]:
    if exit_code < 0:
        return f"killed by {_signal_name(-exit_code)}", Advice.RETRY
    return ERRORS.get(exit_code, (f"exit code {exit_code}", Advice.RETRY))


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
