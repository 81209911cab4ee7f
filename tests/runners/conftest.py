"""Workers and processes for the tests of the runners."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from jobs.outcome import Outcome


@dataclass
class Report:
    """What an acting worker saw."""

    outcomes: list[Outcome]
    shown: list[list[list[Any]]]  # of each job: pairs of pid and output
    has_children: bool
    open_fds: int
    grown_bytes: int

    @property
    def outcome(self) -> Outcome:
        (outcome,) = self.outcomes
        return outcome


class ActingWorker:
    """A subprocess that runs shell jobs, each in its own thread, as a worker would."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.runners.acting_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def start(self, *jobs: dict[str, Any], grace_seconds: float = 1.0) -> Self:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"jobs": jobs, "grace_seconds": grace_seconds}).encode())
        self.process.stdin.close()
        assert self.process.stdout.readline() == b"running\n"
        return self

    def cancel(self) -> None:
        self.process.send_signal(signal.SIGUSR1)

    def release(self) -> None:
        self.process.send_signal(signal.SIGUSR2)

    def report(self) -> Report:
        assert self.process.stdout is not None
        report = json.loads(self.process.stdout.read())
        assert self.process.wait() == 0
        return Report(**(report | {"outcomes": [Outcome.from_wire(wire) for wire in report["outcomes"]]}))

    def run(self, command: str, **fields: Any) -> Report:
        return self.start({"command": command} | fields).report()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def worker() -> Iterator[ActingWorker]:
    acting = ActingWorker()
    yield acting
    acting.close()


class Nap:
    """A very long sleep that can be told from every other process by its command line."""

    def __init__(self) -> None:
        self.seconds = f"3600.{random.randrange(10**12):012}"

    def __str__(self) -> str:
        return f"sleep {self.seconds}"

    @property
    def sleepers(self) -> list[int]:
        """The processes whose command line names this nap; a zombie has none."""
        return [pid for pid in psutil.pids() if self.seconds.encode() in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest.fixture
def nap() -> Iterator[Nap]:
    nap = Nap()
    yield nap
    for pid in nap.sleepers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
