"""The WAL-reset race of SQLite: who may checkpoint, and how, that no commit vanishes? `python -m benchmarks.wal_race`.

Writers commit small transactions in bursts, each acknowledged in a file beside the database; checkpointers checkpoint
as fast as they can; one of all is stopped and continued at random moments, as a busy machine does. Nothing is killed.
After each round every acknowledged row must be there, and the file sound. A way that was damaged once is not safe; one
that was not may have been lucky, so what makes it safe is in docs/decisions/0017.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

from benchmarks import results

ROUND_SECONDS = 10.0
WRITERS = 2
BURST_COMMITS = (1, 80)
REST_SECONDS = 0.02  # of a writer between two bursts, at most
AUTOCHECKPOINT_PAGES = 20  # small, so that the log starts over all the time
EXIT_MALFORMED = 3
ACKNOWLEDGED, CHECKPOINTS = "acknowledged", "checkpoints"  # files beside the database: a byte for each
STOP_SECONDS = (0.001, 0.02)
START_SECONDS = 20.0
ROW = "x" * 200


@dataclass(frozen=True, slots=True)
class Way:
    """Who checkpoints: every writer after a commit, or processes that do nothing else."""

    what: str
    autocheckpoint_pages: int
    checkpointers: tuple[str, ...]


WAYS = {
    "everyone": Way("every connection, as SQLite does by itself", AUTOCHECKPOINT_PAGES, ("passive", "passive")),
    "one": Way("one process, `wal_checkpoint(PASSIVE)`", 0, ("passive",)),
    "truncate": Way("one process, `wal_checkpoint(TRUNCATE)`, not waiting for the write lock", 0, ("truncate",)),
    "locked": Way("one process, while it holds the write lock", 0, ("locked",)),
    "locked_by_all": Way("three processes, each while it holds the write lock", 0, ("locked", "locked", "locked")),
}


@dataclass(slots=True)
class Tally:
    """What all rounds of one way came to."""

    what: str
    rounds: int = 0
    commits: int = 0
    checkpoints: int = 0
    stops: int = 0
    damaged_rounds: int = 0
    vanished: int = 0
    malformed_rounds: int = 0


def main() -> None:
    options = _options()
    spawn = multiprocessing.get_context("spawn")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = Path(tempfile.mkdtemp(prefix="queuectl-wal-", dir=options.directory))
    tallies = {name: Tally(WAYS[name].what) for name in options.ways.split(",")}
    deadline = time.monotonic() + options.minutes * 60 * len(tallies)
    try:
        while time.monotonic() < deadline:
            for name, tally in tallies.items():  # in turn, so that all see the same machine
                _Round(WAYS[name], directory, spawn, seconds=ROUND_SECONDS).run(tally)
                print(f"{name}: {tally}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        shutil.rmtree(directory)
    found = results.about(options=vars(options) | {"directory": None})
    found |= {"sqlite": sqlite3.sqlite_version, "ways": {name: asdict(tally) for name, tally in tallies.items()}}
    ending = "" if options.minutes >= 5 else "-part"
    path = results.DIRECTORY / f"wal-race-{found['date'][:10]}{ending}.json"
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"Written to {path.relative_to(results.CHECKOUT)}", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--minutes", metavar="N", type=float, default=10, help="for each way")
    parser.add_argument("--ways", metavar="NAMES", default=",".join(WAYS))
    parser.add_argument("--directory", metavar="PATH", help="of the databases; /dev/shm is faster than a disk")
    return parser.parse_args()


class _Round:
    """A fresh database, its processes, and what is left at the end."""

    def __init__(
        self, way: Way, directory: Path, spawn: multiprocessing.context.SpawnContext, *, seconds: float
    ) -> None:
        self._directory = Path(tempfile.mkdtemp(dir=directory))
        self._seconds = seconds
        self._is_over = spawn.Event()
        path = self._directory / "race.sqlite3"
        with _connected(path) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE row (writer, number, text, PRIMARY KEY (writer, number)) WITHOUT ROWID")
        self._path = path
        self._processes = [
            spawn.Process(target=_guarded, args=(_write, path, number, way.autocheckpoint_pages, self._is_over))
            for number in range(WRITERS)
        ]
        self._processes += [
            spawn.Process(
                target=_guarded,
                args=(CHECKPOINTERS[mode], path, self._directory / f"{CHECKPOINTS}{number}", self._is_over),
            )
            for number, mode in enumerate(way.checkpointers)
        ]

    def run(self, tally: Tally) -> None:
        for process in self._processes:
            process.start()
        try:
            self._wait_until_all_work()
            tally.stops += self._stop_now_and_then()
        finally:
            self._is_over.set()
            for process in self._processes:
                process.join()
        self._count(tally)
        shutil.rmtree(self._directory)

    def _wait_until_all_work(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            made = [path for pattern in (ACKNOWLEDGED, CHECKPOINTS) for path in self._directory.glob(f"{pattern}*")]
            if sum(path.stat().st_size > 0 for path in made) == len(self._processes):
                return
            time.sleep(0.01)

    def _stop_now_and_then(self) -> int:
        """Stop one process after the other for a moment; return how often."""
        deadline = time.monotonic() + self._seconds
        stops = 0
        while time.monotonic() < deadline and all(process.is_alive() for process in self._processes):
            process = random.choice(self._processes)
            os.kill(process.pid or 0, signal.SIGSTOP)
            time.sleep(random.uniform(*STOP_SECONDS))
            os.kill(process.pid or 0, signal.SIGCONT)
            time.sleep(random.uniform(*STOP_SECONDS) / 2)
            stops += 1
        return stops

    def _acknowledged(self, writer: int) -> int:
        path = _acknowledgements(self._path, writer)
        return path.stat().st_size if path.exists() else 0

    def _count(self, tally: Tally) -> None:
        acknowledged = [self._acknowledged(writer) for writer in range(WRITERS)]
        vanished, is_sound = _look(self._path, acknowledged)
        exit_codes = {process.exitcode for process in self._processes}
        if unexpected := exit_codes - {0, EXIT_MALFORMED}:
            raise RuntimeError(f"a process ended with {unexpected}")
        is_malformed = not is_sound or EXIT_MALFORMED in exit_codes
        tally.rounds += 1
        tally.commits += sum(acknowledged)
        tally.checkpoints += sum(path.stat().st_size for path in self._directory.glob(f"{CHECKPOINTS}*"))
        tally.vanished += vanished
        tally.malformed_rounds += is_malformed
        tally.damaged_rounds += bool(vanished or is_malformed)


def _look(path: Path, acknowledged: list[int]) -> tuple[int, bool]:
    """Return how many acknowledged rows are not there, and whether SQLite finds the file sound."""
    vanished = 0
    try:
        with _connected(path) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()
            for writer, count in enumerate(acknowledged):
                statement = "SELECT COUNT(*) FROM row WHERE writer = ? AND number < ?"
                vanished += count - connection.execute(statement, (writer, count)).fetchone()[0]
    except sqlite3.DatabaseError:
        return vanished, False
    return vanished, found == ("ok",)


def _acknowledgements(path: Path, writer: int) -> Path:
    return path.with_name(f"{ACKNOWLEDGED}{writer}")


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect without syncs: nobody cuts the power here, and the race needs speed."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        yield connection


def _guarded(work: Callable[..., None], *arguments: object) -> None:
    """Do the work of a process, and end it with EXIT_MALFORMED when SQLite says that the file is damaged."""
    try:
        work(*arguments)
    except Exception as error:
        if not isinstance(error.__cause__ or error, sqlite3.DatabaseError):
            raise
        raise SystemExit(EXIT_MALFORMED) from None


def _write(path: Path, writer: int, autocheckpoint_pages: int, is_over: Event) -> None:
    """Commit rows; a byte in a file acknowledges each."""
    with _connected(path) as connection, _acknowledgements(path, writer).open("ab", buffering=0) as acknowledgements:
        connection.execute(f"PRAGMA wal_autocheckpoint = {autocheckpoint_pages}")
        number = 0
        while not is_over.is_set():
            for _ in range(random.randint(*BURST_COMMITS)):
                connection.execute("INSERT INTO row VALUES (?, ?, ?)", (writer, number, ROW))
                acknowledgements.write(b".")
                number += 1
            time.sleep(random.uniform(0, REST_SECONDS))


def _passive(path: Path, done: Path, is_over: Event) -> None:
    with _connected(path) as connection, done.open("ab", buffering=0) as counted:
        while not is_over.is_set():
            for _ in range(100):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            counted.write(b"." * 100)


def _truncate(path: Path, done: Path, is_over: Event) -> None:
    with _connected(path) as connection, done.open("ab", buffering=0) as counted:
        connection.execute("PRAGMA busy_timeout = 0")
        while not is_over.is_set():
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            counted.write(b".")


def _locked(path: Path, done: Path, is_over: Event) -> None:
    """Checkpoint with this project's own function, without its pause for readers: there are none."""
    import django  # noqa: PLC0415 - the other ways do without
    from django.conf import settings  # noqa: PLC0415

    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": {"transaction_mode": "IMMEDIATE"}}
    settings.configure(DATABASES={"default": database})
    django.setup()
    from django.db import connection  # noqa: PLC0415

    from jobs.sql import sqlite_log  # noqa: PLC0415

    sqlite_log.READERS_SECONDS = 0
    with done.open("ab", buffering=0) as counted:
        while not is_over.is_set():
            sqlite_log.shorten(connection)
            counted.write(b".")
    connection.close()


CHECKPOINTERS: Mapping[str, Callable[[Path, Path, Event], None]] = {
    "passive": _passive,
    "truncate": _truncate,
    "locked": _locked,
}

if __name__ == "__main__":
    main()
