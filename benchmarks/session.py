"""One system on one empty store, for one run: its side, its workers, and the marks that they leave."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import marks, venvs
from benchmarks.catalogue import System
from benchmarks.stores import Store

STOP_SECONDS = 15  # a worker that has not ended by then is killed


class Failed(Exception):
    """A system did not do what it was asked to."""


class Session:
    """Use as a context: at its end the processes are stopped, and the place is removed."""

    def __init__(
        self,
        system: System,
        store: Store,
        scratch: Path,
        *,
        place: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`place` tells sessions apart that are open at the same time; `environment` is added to that of all processes,
        `{url}` in it replaced by the place's.
        """
        self.system = system
        self.store = store
        self.url = store.make(place)
        self.marks = Path(tempfile.mkdtemp(prefix="marks-", dir=scratch))
        self.workers: list[subprocess.Popen[bytes]] = []
        self._log = (scratch / f"{system.name}-{store.name}.log").open("ab")
        self._interpreter = venvs.ready(system, store.name)
        self._environment = self._variables() | self._with_url(environment or {})
        self._side = subprocess.Popen(
            [self._interpreter, "-m", "benchmarks.side", system.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._environment,
            cwd=venvs.CHECKOUT,
            text=True,
        )

    def _variables(self) -> dict[str, str]:
        """Return the environment of all processes of the session."""
        variables = os.environ | {
            "BENCH_STORE": self.store.name,
            "BENCH_SYSTEM": self.system.module,
            "BENCH_URL": self.url,
            "BENCH_MARKS": str(self.marks),
            "PATH": f"{self._interpreter.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(venvs.CHECKOUT),
        }
        if self.system.django:
            variables["DJANGO_SETTINGS_MODULE"] = "benchmarks.django_site"
        return variables

    def _with_url(self, environment: Mapping[str, str]) -> dict[str, str]:
        url = self.url.replace("sqlite:///", "sqlite:////")  # an absolute path as django-environ has it
        return {name: value.format(url=url) for name, value in environment.items()}

    def __enter__(self) -> Self:
        try:
            self.ask("prepare")
        except Failed:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.stop_workers()
        self._side.kill()
        self._side.wait()
        self._log.close()
        shutil.rmtree(self.marks)
        self.store.remove(self.url)

    def ask(self, action: str, **arguments: Any) -> Any:
        """Have the system's side do something, and return its answer. Raise Failed."""
        assert self._side.stdin is not None
        assert self._side.stdout is not None
        try:
            self._side.stdin.write(json.dumps({"do": action, **arguments}) + "\n")
            self._side.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: the empty answer says so
        line = self._side.stdout.readline()
        if not line:
            raise Failed(f"its process ended: {self._last_words()}")
        reply = json.loads(line)
        if "error" in reply:
            raise Failed(f"{action}: {reply['error']}")
        return reply["value"]

    def start_workers(self) -> None:
        for command in self.ask("workers"):
            self.workers.append(
                subprocess.Popen(
                    command,
                    executable=shutil.which(command[0], path=self._environment["PATH"]),
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=self._log,
                    env=self._environment,
                    cwd=venvs.CHECKOUT,
                    start_new_session=True,
                )
            )

    def stop_workers(self) -> None:
        """Ask them to end, and end what is left of them."""
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self.workers:
            try:
                worker.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(worker.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            worker.wait()
        self.workers.clear()

    def wait_for_marks(self, count: int, *, seconds: float) -> None:
        """Wait until so many jobs have run. Raise Failed."""
        self.wait_until(lambda: marks.count(self.marks) >= count, seconds=seconds, what=f"{count:,} jobs have run")

    def wait_until(self, is_true: Callable[[], bool], *, seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not is_true():
            if any(worker.poll() is not None for worker in self.workers):
                raise Failed(f"a worker ended: {self._last_words()}")
            if time.monotonic() > deadline:
                raise Failed(f"not in {seconds:.0f} s: {what} ({marks.count(self.marks):,} have)")
            time.sleep(0.002)

    def _last_words(self) -> str:
        self._log.flush()
        lines = Path(self._log.name).read_text(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
