"""A queue of its own for one test: real processes, driven by the command line, looked at from outside."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.databases import Database, Row
from tests.waiting import wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
READY = "started. Watching for jobs..."
LONG_SECONDS = 30.0  # a loaded machine is slow; a test that waits this long has failed


class Site:
    """A home directory and a database, the environment for its processes, and a ledger that its jobs write to."""

    def __init__(self, home: Path, database: Database, **environment: str) -> None:
        self.home = home
        self.database = database
        self.ledger = home / "ledger"
        self.ledger.touch()
        self.mark = f"SITE_MARK={home.name}-{os.getpid()}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "QUEUECTL_HOME": str(home),
            "DATABASE_URL": database.url,
            "SECRET_KEY": "one key for all sites, whose databases are copies of one",
            "JOBS_KILL_GRACE_SECONDS": "1",
            **environment,
        }
        self.supervisors: list[Supervisor] = []

    def run(self, *words: str, stdin: str | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run `queuectl` with these words to its end."""
        return subprocess.run(
            self.command(*words),
            cwd=CHECKOUT,
            env=self.environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ok(self, *words: str, stdin: str | None = None) -> str:
        """Run `queuectl`, expect success, and return what it printed."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_together(
        self, *runs: Sequence[str], kill_after_seconds: Sequence[float] = ()
    ) -> list[subprocess.CompletedProcess[str]]:
        """Run `queuectl` with each of these words at one instant, each in a process of its own; kill them in time."""
        kills = itertools.chain(kill_after_seconds, itertools.repeat(None))
        asked = [{"words": words, "kill_after": seconds} for words, seconds in zip(runs, kills, strict=False)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.e2e.forked"],
            cwd=CHECKOUT,
            env=self.environment,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        ended = json.loads(done.stdout)
        return [subprocess.CompletedProcess([], end["code"], end["out"], end["err"]) for end in ended]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(CHECKOUT / "manage.py"), "queuectl", *words]

    def enqueue(self, *jobs: dict[str, Any]) -> None:
        """Enqueue jobs; each command finds the ledger and the mark of this site in its environment."""
        name, _, value = self.mark.partition("=")
        extra = {"LEDGER": str(self.ledger), name: value}
        lines = [json.dumps({**job, "env": {**job.get("env", {}), **extra}}) for job in jobs]
        self.ok("enqueue", "--quiet", "--file", "-", stdin="\n".join(lines))

    def start(self, *options: str, **environment: str) -> "Supervisor":
        """Start a supervisor and wait until its workers watch for jobs."""
        supervisor = self.start_unready(*options, **environment)
        count = int(options[options.index("--count") + 1]) if "--count" in options else 1
        wait_until(lambda: supervisor.said().count(READY) >= count, timeout_seconds=LONG_SECONDS)
        return supervisor

    def start_unready(self, *options: str, **environment: str) -> "Supervisor":
        supervisor = Supervisor(self, options, environment)
        self.supervisors.append(supervisor)
        return supervisor

    def rows(self, statement: str, *parameters: object) -> list[Row]:
        """Ask the database from outside; the placeholder is `%s` on every database."""
        return self.database.rows(statement, *parameters)

    def job(self, id_: str) -> Row:
        return self.rows("SELECT * FROM jobs_job WHERE id = %s", id_)[0]

    def attempts(self, id_: str) -> list[Row]:
        return self.rows("SELECT * FROM jobs_attempt WHERE job_id = %s ORDER BY fence", id_)

    def states(self) -> dict[str, int]:
        rows = self.rows("SELECT state, COUNT(*) AS job_count FROM jobs_job GROUP BY state")
        return {row["state"]: row["job_count"] for row in rows}

    def wait_for_state(self, id_: str, *states: str, timeout_seconds: float = LONG_SECONDS) -> Row:
        wait_until(lambda: self.job(id_)["state"] in states, timeout_seconds=timeout_seconds)
        return self.job(id_)

    def wait_until_settled(self, timeout_seconds: float = LONG_SECONDS) -> None:
        """Wait until every job is final."""
        wait_until(lambda: set(self.states()) <= {"completed", "dead", "cancelled"}, timeout_seconds=timeout_seconds)

    def lines(self, first_word: str = "") -> list[list[str]]:
        """Return the ledger's lines, split into words; only those that start with `first_word`."""
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        return [words for words in lines if words and (not first_word or words[0] == first_word)]

    def marked_processes(self) -> list[psutil.Process]:
        """Return every living process that a job of this site started, however it hid."""
        return [process for process in psutil.process_iter() if self.mark.encode() in _environment(process.pid)]

    def close(self) -> None:
        for supervisor in self.supervisors:
            supervisor.kill()
        for process in self.marked_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.database.drop()


class Supervisor:
    """A `worker start` in the background."""

    def __init__(self, site: Site, options: tuple[str, ...], environment: dict[str, str]) -> None:
        self.log_path = site.home / f"supervisor-{len(site.supervisors)}.log"
        self.out_path = self.log_path.with_suffix(".out")
        with self.log_path.open("wb") as log, self.out_path.open("wb") as out:
            self.process = subprocess.Popen(
                site.command("worker", "start", *options),
                cwd=CHECKOUT,
                env={**site.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.out_path.read_text()

    def log(self) -> str:
        return self.log_path.read_text()

    def worker_pids(self) -> list[int]:
        """Return the pids that were announced and still live."""
        pids = [int(line.split("PID: ")[1].split(")")[0]) for line in self.said().splitlines() if READY in line]
        return [pid for pid in pids if _is_living(pid)]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_seconds: float = LONG_SECONDS) -> int:
        return self.process.wait(timeout_seconds)

    def kill(self) -> None:
        """End the supervisor as a power cut would; its workers are on their own."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _is_living(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
