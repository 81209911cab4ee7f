"""One database with its supervisors, its load and its reader, as processes of their own."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.session import Failed
from benchmarks.soak import kinds, latency, sampling
from benchmarks.soak.sampling import Sample
from benchmarks.stores import Store
from benchmarks.venvs import CHECKOUT

QUEUECTL = (sys.executable, "manage.py", "queuectl")
RETENTION = "5m"
SUPERVISORS = {
    "main": ("--count", "2", "--queue", "default"),
    "rough": ("--count", "1", "--queue", kinds.ROUGH),
}
HELPERS = {"load": "benchmarks.soak.load", "reader": "benchmarks.soak.reader"}
# What a person types, one of them after each LOOK_SECONDS.
LOOKS = (
    ("status",),
    ("list", "--limit", "20"),
    ("list", "--state", "failed", "--json"),
    ("dlq", "list"),
    ("worker", "list"),
    ("prune", "--older-than", RETENTION),
)
LOOK_SECONDS = 20.0
DRAIN_SECONDS = 300
STOP_SECONDS = 60
READY_SECONDS = 60
READY = "started. Watching for jobs..."
LOG_LINE = re.compile(r"\d{4}-\S+ \S+ (?:WARNING|ERROR|CRITICAL) (?P<logger>\S+): (?P<message>.*)")
EXPECTED_LOGGERS = ("jobs.queue", "django.tasks")  # what they say of a job is what it was meant to do
EXPECTED = ("worker died", "running as root")


class Site:
    """Use as a context: at its end all processes are ended and the database is removed."""

    def __init__(self, store: Store, scratch: Path, *, per_second: float) -> None:
        self.store = store
        self.started_ns = 0
        self._url = store.make("_soak")
        self._home = Path(tempfile.mkdtemp(prefix=f"{store.name}-", dir=scratch))
        self._marks = self._home / "marks"
        self._marks.mkdir()
        self._lines, self._acknowledged = self._home / "lines", self._home / "acknowledged"
        self._lines.touch()
        self._environment = self._variables(per_second)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._look: subprocess.Popen[bytes] | None = None
        self._looks = 0
        self._next_look = 0.0

    def _variables(self, per_second: float) -> Mapping[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(CHECKOUT),
            "QUEUECTL_HOME": str(self._home / "home"),
            "DATABASE_URL": self._url.replace("sqlite:///", "sqlite:////"),
            "DJANGO_SETTINGS_MODULE": "queuectl_site.settings",
            "ALLOWED_HOSTS": "testserver",
            "LOG_LEVEL": "WARNING",
            "BENCH_MARKS": str(self._marks),
            "SOAK_LINES": str(self._lines),
            "SOAK_ACKNOWLEDGED": str(self._acknowledged),
            "SOAK_PER_SECOND": str(per_second),
        }

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()
        self.store.remove(self._url)

    def start(self) -> None:
        """Start everything, and return when the supervisors are ready. Raise Failed."""
        self._run("initdb")
        self._run("config", "set", "retention", RETENTION)
        for name, options in SUPERVISORS.items():
            self._start(name, [*QUEUECTL, "worker", "start", *options])
        deadline = time.monotonic() + READY_SECONDS
        while any(READY not in self._said(name) for name in SUPERVISORS):
            self._refuse_ended(deadline)
            time.sleep(0.1)
        self._looker = sampling.looker(self.store.name, self._url)
        self.started_ns = time.time_ns()
        for name, module in HELPERS.items():
            self._start(name, [sys.executable, "-m", module])

    def _start(self, name: str, command: list[str]) -> None:
        with self._log(name).open("wb") as log:
            self._processes[name] = self._popen(command, log.fileno())

    def _popen(self, command: list[str], log: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command, cwd=CHECKOUT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

    def _run(self, *words: str) -> None:
        command = [*QUEUECTL, *words]
        done = subprocess.run(command, cwd=CHECKOUT, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{' '.join(words)}: {done.stderr}")

    def _log(self, name: str) -> Path:
        return self._home / f"{name}.log"

    def _said(self, name: str) -> str:
        return self._log(name).read_text(errors="replace")

    def _refuse_ended(self, deadline: float) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise Failed(f"{name} ended with {process.returncode}: {self._said(name)[-2_000:]}")
        if time.monotonic() > deadline:
            raise Failed("the supervisors are not ready")

    def sample(self) -> Sample:
        """Return what there is to measure now. Raise Failed if a process has ended."""
        self._refuse_ended(float("inf"))
        self._type_something()
        sample = {"at": (time.time_ns() - self.started_ns) / 1e9}
        for name in SUPERVISORS:
            sample |= sampling.of_supervisor(name, self._processes[name].pid)
        for name in HELPERS:
            sample |= sampling.of_process(name, self._processes[name].pid)
        return sample | self._looker.look()

    def _type_something(self) -> None:
        """Start the next command line, as a person would. Raise Failed if the last one failed."""
        if time.monotonic() < self._next_look:
            return
        if self._look is not None and self._look.wait(READY_SECONDS):
            raise Failed(f"a command line ended with {self._look.returncode}: {self._said('look')[-2_000:]}")
        self._next_look = time.monotonic() + LOOK_SECONDS
        with self._log("look").open("wb") as log:
            self._look = self._popen([*QUEUECTL, *LOOKS[self._looks % len(LOOKS)]], log.fileno())
        self._looks += 1

    def finish(self) -> "dict[str, object]":
        """Stop the load, wait until all is done, and stop the rest; return what became of the jobs.

        Raise Failed, or Inexact if a job ran not as often as it must.
        """
        self._end("load", DRAIN_SECONDS)
        completed = self._looker.completed()
        self._processes["reader"].kill()
        for name in SUPERVISORS:
            self._end(name, STOP_SECONDS)
        enqueued, found = latency.acknowledged(self._acknowledged), latency.runs(self._marks, self._lines)
        latency.refuse_inexact(found, enqueued)
        if completed != (wanted := latency.completing(enqueued)):
            raise Failed(f"{completed:,} jobs are counted as completed instead of {wanted:,}")
        return {
            "jobs": len(enqueued),
            "runs": len(found),
            "completed": completed,
            "commands_typed": self._looks,
            "trouble": self.trouble(),
            "pickups": latency.pickups(found, enqueued, started_ns=self.started_ns),
        }

    def trouble(self) -> list[str]:
        """Return the warnings and errors of all logs that are not about jobs which fail, or about workers they end."""
        names = (*SUPERVISORS, *HELPERS)
        found = [LOG_LINE.match(line) for name in names for line in self._said(name).splitlines()]
        return [line[0] for line in found if line is not None and not _is_expected(line)]

    def _end(self, name: str, seconds: float) -> None:
        process = self._processes[name]
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{name} did not end in {seconds:.0f} s") from None
        if code:
            raise Failed(f"{name} ended with {code}: {self._said(name)[-2_000:]}")


def _is_expected(line: re.Match[str]) -> bool:
    return line["logger"].startswith(EXPECTED_LOGGERS) or line["message"].startswith(EXPECTED)
