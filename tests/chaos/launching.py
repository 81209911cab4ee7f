"""The rig's side of a launcher: start processes, strike them with signals, hear how they ended."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.site import CHECKOUT
from tests.waiting import wait_until

READY_SECONDS = 60.0
LEAVE_SECONDS = 10.0


class Launcher:
    """One process that forks others. `within` are words that put it elsewhere: into a namespace of its own."""

    def __init__(
        self, name: str, *, environment: Mapping[str, str], log_path: Path, within: Sequence[str] = ()
    ) -> None:
        self.name = name
        self._log_path = log_path
        self._socket, theirs = socket.socketpair()
        command = [*within, sys.executable, "-m", "tests.chaos.launcher", str(theirs.fileno())]
        with theirs, log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._stream = self._socket.makefile("rwb")
        self._lock = threading.Lock()
        self._ended: dict[int, int] = {}

    def wait_until_ready(self) -> None:
        self._socket.settimeout(READY_SECONDS)
        line = self._stream.readline()
        assert line, self._log_path.read_text(errors="replace")[-2_000:]

    def _ask(self, **request: Any) -> Any:
        with self._lock:
            self._stream.write(json.dumps(request).encode() + b"\n")
            self._stream.flush()
            line = self._stream.readline()
        assert line, f"the launcher {self.name} is gone: {self._log_path.read_text(errors='replace')[-2_000:]}"
        return json.loads(line)

    def start(self, *words: str, stdout: Path, stderr: Path, **order: Any) -> int:
        """Start `queuectl` with these words, or a program of the rig's that `order` describes; return its pid."""
        if words:
            order["words"] = words
        return int(self._ask(what="start", stdout=str(stdout), stderr=str(stderr), **order)["pid"])

    def strike(self, pid: int, number: signal.Signals, *, role: str = "self", pick: float = 0.0) -> list[int]:
        """Send a signal to a process below one that was started here; return the pids it hit."""
        pids: list[int] = self._ask(what="strike", pid=pid, signal=number, role=role, pick=pick)["pids"]
        return pids

    def thaw(self) -> None:
        """Let everything run that was started here, or below it, and made to stand still."""
        self._ask(what="thaw")

    def left(self) -> list[int]:
        """Return the pids of all that was started here, or below it, and lives."""
        pids: list[int] = self._ask(what="left")["pids"]
        return pids

    def code(self, pid: int) -> int | None:
        """Return how a process that was started here ended; None: it lives. An answer is given once."""
        self._ended |= dict(self._ask(what="ended")["ended"])
        return self._ended.pop(pid, None)

    def wait(self, pid: int, *, seconds: float) -> int:
        """Wait for its end and return its exit code; kill it when the time is over."""
        codes: list[int] = []

        def has_ended() -> bool:
            code = self.code(pid)
            if code is not None:
                codes.append(code)
            return code is not None

        try:
            wait_until(has_ended, timeout_seconds=seconds)
        except AssertionError:
            self.strike(pid, signal.SIGKILL)
            wait_until(has_ended, timeout_seconds=LEAVE_SECONDS)
        return codes[0]

    def close(self) -> None:
        """Let it go, and with it all that it has started."""
        self._stream.close()
        self._socket.close()
        try:
            self._process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
