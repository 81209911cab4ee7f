"""What a long run measures from outside: processes by /proc, the database with its own driver. Memory in MB (10⁶)."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from benchmarks import stores
from benchmarks.waiting import children, pss_bytes

Sample = dict[str, float]
COUNTS = ("jobs_job", "jobs_attempt")
COMPLETED = "SELECT SUM(completed) FROM jobs_counter"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def of_supervisor(name: str, pid: int) -> Sample:
    """Return what a supervisor, its nursery and its workers take. Commands that run at this moment are left out."""
    nurseries = children(pid)
    workers = [worker for nursery in nurseries for worker in children(nursery)]
    return {
        **_of_processes(f"{name}_supervisor", [pid]),
        **_of_processes(f"{name}_nursery", nurseries),
        **_of_processes(f"{name}_workers", workers),
    }


def of_process(name: str, pid: int) -> Sample:
    return _of_processes(name, [pid])


def _of_processes(name: str, pids: Iterable[int]) -> Sample:
    found = [figures for pid in pids if (figures := _figures(pid))]
    pss, rss, files, threads = (sum(column) for column in zip(*found, strict=True)) if found else (0, 0, 0, 0)
    return {
        f"{name}_pss": pss / 1e6,
        f"{name}_rss": rss / 1e6,
        f"{name}_files": files,
        f"{name}_threads": threads,
        f"{name}_processes": len(found),
    }


def _figures(pid: int) -> tuple[int, int, int, int] | None:
    """Return PSS and RSS in bytes, open descriptors and threads; None if it has just ended."""
    try:
        files = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names are enough, and paths would cost more
        threads = len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
        rss_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pss_bytes(pid), rss_pages * PAGE_BYTES, files, threads
    except (FileNotFoundError, ProcessLookupError):
        return None


class Looker(Protocol):
    """Measures one database; rows are those of COUNTS together."""

    def look(self) -> Sample: ...

    def completed(self) -> int:
        """Return how many jobs have completed, as the queue has counted them."""


def looker(store: str, url: str) -> Looker:
    kinds: dict[str, Callable[[str], Looker]] = {"sqlite": _SQLite, "postgresql": _PostgreSQL, "mariadb": _MariaDB}
    return kinds[store](url)


class _SQLite:
    def __init__(self, url: str) -> None:
        self._path = Path(urlsplit(url).path)

    def look(self) -> Sample:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=20)) as connection:
            rows = sum(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in COUNTS)
            (free_pages,) = connection.execute("PRAGMA freelist_count").fetchone()
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        return {
            "rows": rows,
            "database": self._path.stat().st_size / 1e6,
            "free": free_pages * page_bytes / 1e6,
            "wal": self._path.with_name(f"{self._path.name}-wal").stat().st_size / 1e6,
        }

    def completed(self) -> int:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=20)) as connection:
            return int(connection.execute(COMPLETED).fetchone()[0])


class _PostgreSQL:
    def __init__(self, url: str) -> None:
        import psycopg  # noqa: PLC0415 - it may not be installed

        self._connection: Any = psycopg.connect(url, autocommit=True)

    def look(self) -> Sample:
        rows = sum(self._value(f"SELECT COUNT(*) FROM {table}") for table in COUNTS)
        dead = f"SELECT SUM(n_dead_tup) FROM pg_stat_user_tables WHERE relname IN {COUNTS}"
        return {
            "rows": rows,
            "dead_rows": self._value(dead),
            "database": self._value("SELECT pg_database_size(current_database())") / 1e6,
        }

    def completed(self) -> int:
        return int(self._value(COMPLETED))

    def _value(self, statement: str) -> float:
        return float(self._connection.execute(statement).fetchone()[0])


class _MariaDB:
    def __init__(self, url: str) -> None:
        import MySQLdb  # noqa: PLC0415 - it may not be installed

        self._connection: Any = stores.connect_mariadb(MySQLdb, urlsplit(url))
        self._name = urlsplit(url).path.removeprefix("/")

    def look(self) -> Sample:
        tablespaces = "SELECT SUM(file_size) FROM information_schema.innodb_sys_tablespaces"
        return {
            "rows": sum(self._value(f"SELECT COUNT(*) FROM {table}") for table in COUNTS),
            "database": self._value(f"{tablespaces} WHERE name LIKE '{self._name}/%'") / 1e6,
        }

    def completed(self) -> int:
        return int(self._value(COMPLETED))

    def _value(self, statement: str) -> float:
        cursor = self._connection.cursor()
        cursor.execute(statement)
        return float(cursor.fetchone()[0])


def together(samples: Iterable[Sample]) -> Iterator[tuple[str, list[float]]]:
    """Yield each measure with its values in order."""
    rows = list(samples)
    for name in rows[0] if rows else ():
        yield name, [row[name] for row in rows]
