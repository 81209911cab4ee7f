"""Shell jobs: this queue, and programs that run command lines, two at a time.

Each command is `echo NUMBER >> FILE`, run by `/bin/sh -c`: one process, no program, and a line that proves it ran. A
rate is from when a tenth of the lines are there to the last line; for this queue to when the store says that all have
completed. The other programs keep nothing: what they had not yet run is lost with them.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import marks
from benchmarks.catalogue import System
from benchmarks.session import Failed, Session
from benchmarks.stores import Store

JOBS = {"xargs": 5_000, "task-spooler": 2_000, "parallel": 1_000}
QUEUED_JOBS = 5_000
SECONDS = 60
PROGRAMS = {
    "xargs": ("xargs", "xargs -P 2 -d '\\n' -n 1 /bin/sh -c"),
    "task-spooler": ("tsp", "tsp -S 2; tsp -n /bin/sh -c … for each"),
    "parallel": ("parallel", "parallel -j 2 --will-cite"),
}


class Absent(Exception):
    """A program is not on this machine."""


def of_queue(system: System, store: Store, scratch: Path) -> dict[str, float]:
    """Return commands per second of this queue. Raise Failed or Inexact."""
    lines = _file(scratch)
    with Session(system, store, scratch) as session:
        for first in range(0, QUEUED_JOBS, 1_000):
            commands = _commands(lines, range(first, min(first + 1_000, QUEUED_JOBS)))
            session.ask("call", module="benchmarks.systems.queuectl", function="enqueue_commands", commands=commands)
        store.settle(session.url)
        session.start_workers()
        begun = QUEUED_JOBS // 10
        session.wait_until(lambda: _count(lines) >= begun, seconds=SECONDS, what="a tenth of the commands have run")
        begun, started = _count(lines), time.monotonic()
        session.wait_until(lambda: _count(lines) >= QUEUED_JOBS, seconds=SECONDS, what="all commands have run")
        session.wait_until(lambda: session.ask("completed") >= QUEUED_JOBS, seconds=SECONDS, what="all are completed")
        seconds = time.monotonic() - started
    _refuse_inexact(lines, QUEUED_JOBS)
    return {"shell": (QUEUED_JOBS - begun) / seconds}


def of_program(name: str, scratch: Path) -> dict[str, float]:
    """Return commands per second of one of PROGRAMS. Raise Absent, Failed or Inexact."""
    program, _ = PROGRAMS[name]
    if shutil.which(program) is None:
        raise Absent(f"there is no {program}")
    lines, count = _file(scratch), JOBS[name]
    commands = _commands(lines, range(count))
    begun, started = 0, 0.0
    for _ in _running(name, commands, scratch):
        if not begun and (now := _count(lines)) >= count // 10:
            begun, started = now, time.monotonic()
    seconds = time.monotonic() - started
    _refuse_inexact(lines, count)
    return {"shell": (count - begun) / seconds}


def _running(name: str, commands: Sequence[str], scratch: Path) -> Iterator[None]:
    """Yield every two milliseconds while a program runs the commands. Raise Failed."""
    runs = {"xargs": _xargs, "task-spooler": _task_spooler, "parallel": _parallel}[name](commands, scratch)
    deadline = time.monotonic() + SECONDS
    with runs as process:
        while process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
                raise Failed(f"not done in {SECONDS} s")
            time.sleep(0.002)
            yield
    if process.returncode != 0:
        raise Failed(f"it ended with {process.returncode}")


def _xargs(commands: Sequence[str], scratch: Path) -> "subprocess.Popen[bytes]":
    return _fed(["xargs", "-P", "2", "-d", "\n", "-n", "1", "/bin/sh", "-c"], commands, scratch)


def _parallel(commands: Sequence[str], scratch: Path) -> "subprocess.Popen[bytes]":
    return _fed(["parallel", "-j", "2", "--will-cite"], commands, scratch)


def _task_spooler(commands: Sequence[str], scratch: Path) -> "subprocess.Popen[bytes]":
    """Enqueue everything with a private server that has two places, and wait until it has nothing more to do."""
    environment = os.environ | {"TS_SOCKET": str(scratch / "tsp.socket"), "TS_MAXFINISHED": "10"}
    words = " ".join(shlex.quote(command) for command in commands)
    script = f"""
        tsp -S 2
        for command in {words}; do tsp -n /bin/sh -c "$command"; done >/dev/null
        while tsp | grep -qE ' (queued|running) '; do sleep 0.01; done
        tsp -K
    """
    return _fed(["/bin/sh"], [script], scratch, environment)


def _fed(
    words: Sequence[str], lines: Sequence[str], scratch: Path, environment: dict[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a program that reads `lines`, from a file: a pipe could fill."""
    path = scratch / "input"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with path.open("rb") as file:
        return subprocess.Popen(words, stdin=file, stdout=subprocess.DEVNULL, env=environment)


def _commands(lines: Path, numbers: Sequence[int]) -> list[str]:
    return [f"echo {number} >> {shlex.quote(str(lines))}" for number in numbers]


def _file(scratch: Path) -> Path:
    path = Path(tempfile.mkdtemp(prefix="shell-", dir=scratch)) / "lines"
    path.touch()
    return path


def _count(lines: Path) -> int:
    return lines.read_bytes().count(b"\n")


def _refuse_inexact(lines: Path, count: int) -> None:
    marks.refuse_inexact(((int(line), 0) for line in lines.read_text().split()), range(count))
