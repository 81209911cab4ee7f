"""The limits: what the bare driver does in the transactions that a queue cannot do without. No ORM, no Python task.

A turn records some jobs as completed and claims the next, in one transaction: two statements. An insert stores jobs,
each a transaction or many in one. The table has what a queue needs, a text id among it, and two indexes. Durability is
that of the measured systems: WAL and synchronous=FULL on SQLite, what the server is set to elsewhere.
"""

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from benchmarks import stores
from benchmarks.stores import Store

BATCHES = (1, 10, 100)
INSERT_BATCHES = (1, 1_000)
SECONDS = 1.0  # of each measurement
PENDING = 300_000  # jobs that wait before the first turn: more than are claimed
NAME = "raw"  # what the driver is called among the systems
REST = ("default", "pending", 0, "benchmarks.systems.queuectl.work", '{"args": [12345], "kwargs": {}}')
Row = tuple[str, str, str, int, str, str]  # id, queue, state, priority, task, arguments

TABLE = """
CREATE TABLE job (
    id {id} PRIMARY KEY,
    queue {name} NOT NULL,
    state {name} NOT NULL,
    priority {small} NOT NULL,
    task {text} NOT NULL,
    arguments {text} NOT NULL,
    enqueued_at {moment} NOT NULL DEFAULT CURRENT_TIMESTAMP,
    finished_at {moment}
)
"""
INSERT = "INSERT INTO job (id, queue, state, priority, task, arguments) VALUES (?, ?, ?, ?, ?, ?)"


class Driver(Protocol):
    """One connection of one driver."""

    def insert(self, rows: Sequence[Row]) -> None:
        """Store jobs in one transaction, the fastest way the driver has for so many."""

    def turn(self, done: Sequence[str], limit: int) -> list[str]:
        """Record jobs as completed and claim others, in one transaction; return the ids of those."""

    def close(self) -> None: ...


class SQLite:
    CLAIM = """
        UPDATE job SET state = 'processing'
        WHERE rowid IN (SELECT rowid FROM job WHERE state = 'pending' ORDER BY priority DESC, id LIMIT ?)
        RETURNING id
    """

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(urlsplit(url).path, isolation_level=None)
        run = self._connection.execute
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=FULL")
        run(TABLE.format(id="TEXT", name="TEXT", small="INTEGER", text="TEXT", moment="TEXT"))
        run("CREATE INDEX due ON job (priority DESC, id) WHERE state = 'pending'")

    def insert(self, rows: Sequence[Row]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(INSERT, rows)
        self._connection.execute("COMMIT")

    def turn(self, done: Sequence[str], limit: int) -> list[str]:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        run(_record(done, "?"), done)
        claimed = [id_ for (id_,) in run(self.CLAIM, (limit,)).fetchall()]
        run("COMMIT")
        return claimed

    def close(self) -> None:
        self._connection.close()


class PostgreSQL:
    CLAIM = """
        UPDATE job SET state = 'processing'
        WHERE id = ANY (ARRAY(
            SELECT id FROM job WHERE state = 'pending' ORDER BY priority DESC, id LIMIT %s FOR UPDATE SKIP LOCKED
        ))
        RETURNING id
    """
    RECORD = "UPDATE job SET state = 'completed', finished_at = CURRENT_TIMESTAMP WHERE id = ANY (%s)"
    COPY = "COPY job (id, queue, state, priority, task, arguments) FROM STDIN"

    def __init__(self, url: str) -> None:
        import psycopg  # noqa: PLC0415 - it may not be installed

        self._connection = psycopg.connect(url, autocommit=True)
        run = self._connection.execute
        run(TABLE.format(id="text", name="text", small="smallint", text="text", moment="timestamptz"))
        run("CREATE INDEX due ON job (priority DESC, id) WHERE state = 'pending'")

    def insert(self, rows: Sequence[Row]) -> None:
        if len(rows) == 1:
            self._connection.execute(INSERT.replace("?", "%s"), rows[0])
            return
        with self._connection.cursor() as cursor, cursor.copy(self.COPY) as copy:
            for row in rows:
                copy.write_row(row)

    def turn(self, done: Sequence[str], limit: int) -> list[str]:
        with self._connection.transaction():
            self._connection.execute(self.RECORD, (list(done),))
            return [id_ for (id_,) in self._connection.execute(self.CLAIM, (limit,)).fetchall()]

    def close(self) -> None:
        self._connection.close()


class MariaDB:
    CANDIDATES = """
        SELECT id FROM job WHERE state = 'pending' ORDER BY priority DESC, id LIMIT %s FOR UPDATE SKIP LOCKED
    """
    TYPES: ClassVar[dict[str, str]] = {
        "id": "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin",
        "name": "VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin",
        "small": "SMALLINT",
        "text": "TEXT",
        "moment": "DATETIME(6)",
    }

    def __init__(self, url: str) -> None:
        import MySQLdb  # noqa: PLC0415 - it may not be installed

        self._connection = stores.connect_mariadb(MySQLdb, urlsplit(url))
        self._cursor = self._connection.cursor()
        self._cursor.execute(TABLE.format(**self.TYPES))
        self._cursor.execute("CREATE INDEX due ON job (state, priority DESC, id)")

    def insert(self, rows: Sequence[Row]) -> None:
        self._cursor.executemany(INSERT.replace("?", "%s"), rows)  # which makes one statement of them

    def turn(self, done: Sequence[str], limit: int) -> list[str]:
        run = self._cursor.execute
        run("BEGIN")
        if done:
            run(_record(done, "%s"), done)
        run(self.CANDIDATES, (limit,))
        claimed = [id_ for (id_,) in self._cursor.fetchall()]
        if claimed:
            run(f"UPDATE job SET state = 'processing' WHERE id IN ({', '.join(['%s'] * len(claimed))})", claimed)
        run("COMMIT")
        return claimed

    def close(self) -> None:
        self._connection.close()


DRIVERS: dict[str, Callable[[str], Driver]] = {"sqlite": SQLite, "postgresql": PostgreSQL, "mariadb": MariaDB}
Figures = dict[tuple[str, str], float]  # the measure, and how many jobs in a transaction


def measure(store: Store) -> Figures:
    """Return jobs per second: `raw_insert` and `raw_turn`."""
    url = store.make()
    try:
        driver = DRIVERS[store.name](url)
        figures: Figures = {("raw_insert", str(batch)): _insert_rate(driver, batch) for batch in INSERT_BATCHES}
        for rows in _batches(1_000, PENDING):
            driver.insert(rows)
        store.settle(url)
        figures |= {("raw_turn", str(batch)): _turn_rate(driver, batch) for batch in BATCHES}
        driver.close()
    finally:
        store.remove(url)
    return figures


def _insert_rate(driver: Driver, batch: int) -> float:
    count = 0
    started = time.perf_counter()
    spent = 0.0  # making the rows is no part of it
    while time.perf_counter() - started < SECONDS:
        rows = _rows(batch)
        before = time.perf_counter()
        driver.insert(rows)
        spent += time.perf_counter() - before
        count += batch
    return count / spent


def _turn_rate(driver: Driver, batch: int) -> float:
    claimed: list[str] = []
    done = 0
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        before, claimed = claimed, driver.turn(claimed, batch)
        done += len(before)
        if not claimed:
            break
    rate = done / (time.perf_counter() - started)
    driver.turn(claimed, 0)
    return rate


def _batches(size: int, count: int) -> Iterator[list[Row]]:
    for _ in range(count // size):
        yield _rows(size)


def _rows(count: int) -> list[Row]:
    """Return jobs whose ids begin with the time, as those of UUIDv7 do: they go to the end of an index."""
    millisecond = f"{time.time_ns() // 1_000_000:012x}"
    return [
        (f"{millisecond[:8]}-{millisecond[8:]}-7{number:03x}-{secrets.token_hex(2)}-{secrets.token_hex(6)}", *REST)
        for number in range(count)
    ]


def _record(done: Sequence[Any], mark: str) -> str:
    places = ", ".join([mark] * len(done))
    return f"UPDATE job SET state = 'completed', finished_at = CURRENT_TIMESTAMP WHERE id IN ({places})"
