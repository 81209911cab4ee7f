"""SQLite statements. One writer at a time, so a single UPDATE is the whole critical section.

Names and states are literal, as a person would type them into `sqlite3`; a test pins them to the models. States must
be literal for another reason: a partial index is not used for a bound `state IN (?, ?)`.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import Error, InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from jobs import file_systems, file_watch
from jobs.errors import DatabaseUnavailable
from jobs.sql import sqlite_log
from jobs.sql.address import address
from jobs.sql.rows import CLAIM_COLUMNS, INSERT_JOB, Finish
from jobs.sql.waking import DatabaseReplacedError, Waker
from jobs.states import State

# Each step finds the next queue name in the index, so the cost is the number of queues and not of jobs.
PENDING_QUEUES = """
WITH RECURSIVE pending (queue) AS (
    SELECT MIN(queue) FROM jobs_job WHERE state = 'pending'
     UNION ALL
    SELECT (SELECT MIN(queue) FROM jobs_job WHERE state = 'pending' AND queue > pending.queue)
      FROM pending
     WHERE pending.queue IS NOT NULL
)
SELECT queue FROM pending WHERE queue IS NOT NULL
"""

# One of these per queue: the index holds each queue's jobs in the order they are claimed.
NEXT_OF_QUEUE = """
SELECT * FROM (
    SELECT id, priority, run_at
      FROM jobs_job
     WHERE state = 'pending' AND queue = %s
     ORDER BY priority DESC, run_at, id
     LIMIT %s
)
"""

CLAIM = """
UPDATE jobs_job
   SET state = 'processing',
       fence = fence + 1,
       attempts = attempts + 1,
       supervisor_id = %s,
       claimed_at = %s,
       started_at = NULL
 WHERE id IN (SELECT id FROM ({candidates}) ORDER BY priority DESC, run_at, id LIMIT %s)
RETURNING {columns}
"""

# SQLite allows 500 terms in a compound SELECT; more queues are a compound of compounds.
COMPOUND_MAX = 400

LOCK_WAIT_SECONDS = 0.1  # of a supervisor, for one try
LOOK_SECONDS = 0.003  # between two looks for a commit where the kernel says nothing
SYNC_SECONDS = 0.00025  # before the first look after a write: it comes before its commit, by the disk's time to sync
SYNC_GROWTH = 2.0  # of that, from look to look
WATCHED_SECONDS = 1.0  # between two looks while nothing is written
LONG_LOG_BYTES = 4 * sqlite_log.SHORT_BYTES  # which supervisors keep it far below

FINISH = """
WITH ended AS (
    SELECT json_extract(value, '$[0]') AS id,
           json_extract(value, '$[1]') AS fence,
           json_extract(value, '$[2]') AS supervisor_id,
           json_extract(value, '$[3]') AS state,
           json_extract(value, '$[4]') AS state_if_cancelled,
           json_extract(value, '$[5]') AS ended_at,
           json_extract(value, '$[6]') AS outcome,
           json_extract(value, '$[7]') AS exit_code,
           json_extract(value, '$[8]') AS error,
           json_extract(value, '$[9]') AS return_value,
           json_extract(value, '$[10]') AS started_at,
           json_extract(value, '$[11]') AS run_at,
           json_extract(value, '$[12]') AS refund,
           json_extract(value, '$[13]') AS postponed
      FROM json_each(%s)
)
UPDATE jobs_job
   SET state = IIF(cancel_requested_at IS NULL, ended.state, ended.state_if_cancelled),
       finished_at = CASE
           WHEN cancel_requested_at IS NOT NULL OR ended.state IN ('cancelled', 'completed', 'dead') THEN ended.ended_at
       END,
       supervisor_id = NULL,
       outcome = COALESCE(ended.outcome, jobs_job.outcome),
       exit_code = IIF(ended.outcome IS NULL, jobs_job.exit_code, ended.exit_code),
       error = IIF(ended.outcome IS NULL, jobs_job.error, ended.error),
       return_value = ended.return_value,
       started_at = ended.started_at,
       run_at = COALESCE(ended.run_at, jobs_job.run_at),
       attempts = attempts - ended.refund,
       postponements = postponements + ended.postponed
  FROM ended
 WHERE jobs_job.id = ended.id
   AND jobs_job.fence = ended.fence
   AND jobs_job.supervisor_id = ended.supervisor_id
   AND jobs_job.state = 'processing'
RETURNING jobs_job.id, jobs_job.state
"""

RECORD_ATTEMPT = """
INSERT INTO jobs_attempt (job_id, fence, number, host, pid, started_at, finished_at, run_seconds, outcome, exit_code,
                          error, exception_class, traceback, progress, progress_message, output_head, output_tail,
                          output_dropped_bytes)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (job_id, fence) DO UPDATE
   SET pid = excluded.pid,
       started_at = excluded.started_at,
       finished_at = excluded.finished_at,
       run_seconds = excluded.run_seconds,
       outcome = excluded.outcome,
       exit_code = excluded.exit_code,
       error = excluded.error,
       exception_class = excluded.exception_class,
       traceback = excluded.traceback,
       progress = excluded.progress,
       progress_message = excluded.progress_message,
       output_head = excluded.output_head,
       output_tail = excluded.output_tail,
       output_dropped_bytes = excluded.output_dropped_bytes
"""


IS_LOCAL = True
CAN_ANNOUNCE = False
HAS_LOG = True
LEASE_SECONDS = 300.0  # outlasts a foreign write lock of a minute several times over


def prepare(connection: BaseDatabaseWrapper, *, idle_seconds: float) -> None:  # noqa: ARG001 - nobody could end it
    """Make transactions of this process take the write lock at their start.

    A deferred one that reads before it writes fails at once when another commits between, whatever its timeout. And
    wait for that lock but briefly: SQLite's own wait starves one of two busy writers (PERFORMANCE), while the store,
    which tries again after a short random pause, gets its turn.
    """
    connection.close()
    options = {**connection.settings_dict["OPTIONS"], "transaction_mode": "IMMEDIATE", "timeout": LOCK_WAIT_SECONDS}
    connection.settings_dict["OPTIONS"] = options


def check(connection: BaseDatabaseWrapper) -> None:
    """Raise DatabaseUnavailable if there is no database file: SQLite would make an empty one without a word."""
    path = _file(connection)
    if path is not None and not path.exists():
        raise DatabaseUnavailable(f"there is no database at {path}; make one with: queuectl initdb")


def _file(connection: BaseDatabaseWrapper) -> Path | None:
    """Return the database's file; None for one in memory, and where a URI names it."""
    name = str(connection.settings_dict["NAME"])
    return None if name.startswith("file:") or name == ":memory:" else Path(name)


def limit_wait(connection: BaseDatabaseWrapper, *, seconds: float) -> None:
    options = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**options, "timeout": min(seconds, options.get("timeout", seconds))}


def facts(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return version and file of the database, and how this connection uses it."""
    found = {"product": f"SQLite {sqlite3.sqlite_version}", "path": str(connection.settings_dict["NAME"])}
    with connection.cursor() as cursor:
        for pragma in ("journal_mode", "synchronous", "wal_autocheckpoint"):
            cursor.execute(f"PRAGMA {pragma}")
            found[pragma] = str(cursor.fetchone()[0])
    return found


def server_time(_connection: BaseDatabaseWrapper) -> datetime | None:
    """Return None: whoever uses this database has the same clock."""
    return None


def network_file_system(connection: BaseDatabaseWrapper) -> str | None:
    path = _file(connection)
    return None if path is None else file_systems.network_kind(path)


def waker(connection: BaseDatabaseWrapper) -> Waker:
    return _Waker(connection)


class _Waker:
    """Hears from the kernel that the database or its write-ahead log was written to; then looks for the commit.

    Without such news from the kernel it looks all the time.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        connection.ensure_connection()
        self._file = _file(connection)
        self._identity = self._file and _identity(self._file)
        self._version = self._data_version()  # opens the files that are watched
        path = str(connection.settings_dict["NAME"])
        self._watch = file_watch.watch(Path(path), Path(f"{path}-wal"))
        self._pause_seconds = WATCHED_SECONDS  # from the last look to the next
        self._next_look = 0.0

    def sources(self) -> list[Any]:
        """Return the watch, unless a look is near: of all the writes of one transaction, the first is enough."""
        return [] if self._watch is None or self._pause_seconds < LOOK_SECONDS else [self._watch]

    def patience_seconds(self) -> float:
        return LOOK_SECONDS if self._watch is None else max(0.0, self._next_look - time.monotonic())

    def has_news(self) -> bool:
        now = time.monotonic()
        if self._watch is not None and self._pause_seconds >= LOOK_SECONDS and self._watch.clear():
            self._pause_seconds = SYNC_SECONDS
            self._next_look = now + self._pause_seconds
        elif now >= self._next_look:
            self._pause_seconds = min(WATCHED_SECONDS, SYNC_GROWTH * self._pause_seconds)
            self._next_look = now + self._pause_seconds
        version = self._data_version()
        is_new = version != self._version
        self._version = version
        return is_new

    def renew(self) -> None:
        if self._watch is not None:
            self._watch.renew()

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()

    def _data_version(self) -> int:
        """Return PRAGMA data_version: it changes when another connection commits. Takes no lock (2 µs, PERFORMANCE)."""
        self._mind_file()
        self._connection.ensure_connection()
        (version,) = self._connection.connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _mind_file(self) -> None:
        """Raise unless the name is still that of the file we have open. SQLite goes on with one that was moved away."""
        if self._file is None:
            return
        identity = _identity(self._file)
        if identity is None:
            raise OperationalError(f"there is no file {self._file} any more; put it back, or: queuectl initdb")
        if identity != self._identity:
            raise DatabaseReplacedError(f"another file has taken the place of {self._file}")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others on this machine, whatever its name; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def announce(_connection: BaseDatabaseWrapper, _queue: str) -> None:
    """Do nothing: a commit is seen."""


def maintain(connection: BaseDatabaseWrapper) -> None:
    """Shorten the write-ahead log when it has grown. On builds with the WAL-reset race nobody else does."""
    if sqlite_log.size_bytes(connection) > sqlite_log.SHORT_BYTES:
        sqlite_log.shorten(connection)


def relieve(connection: BaseDatabaseWrapper) -> None:
    """Shorten the log when it has grown so much that no supervisor can be there."""
    if sqlite_log.size_bytes(connection) > LONG_LOG_BYTES:
        sqlite_log.shorten(connection)


def pending_queues(connection: BaseDatabaseWrapper) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(PENDING_QUEUES)
        return [queue for (queue,) in cursor.fetchall()]


def claim(
    connection: BaseDatabaseWrapper, *, queues: Sequence[str], limit: int, supervisor_id: int, now: datetime
) -> Sequence[Sequence[Any]]:
    candidates = _union([NEXT_OF_QUEUE] * len(queues))
    per_queue = [value for queue in queues for value in (queue, limit)]
    statement = CLAIM.format(candidates=candidates, columns=CLAIM_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(statement, [supervisor_id, _times(connection)(now), *per_queue, limit])
        return cursor.fetchall()  # type: ignore[no-any-return]


def _union(selects: list[str]) -> str:
    if len(selects) <= COMPOUND_MAX:
        return " UNION ALL ".join(selects)
    chunks = [selects[start : start + COMPOUND_MAX] for start in range(0, len(selects), COMPOUND_MAX)]
    return _union([f"SELECT * FROM ({_union(chunk)})" for chunk in chunks])  # noqa: S608 - of our own statements


def finish(
    connection: BaseDatabaseWrapper, finishes: Sequence[Finish], attempts: Sequence[Sequence[Any] | None]
) -> dict[str, State]:
    states = _finish(connection, finishes)
    record_attempts(connection, [attempt for attempt in attempts if attempt is not None and attempt[0] in states])
    return states


def _finish(connection: BaseDatabaseWrapper, finishes: Sequence[Finish]) -> dict[str, State]:
    with connection.cursor() as cursor:
        cursor.execute(FINISH, [json.dumps(finishes, default=_times(connection))])
        return {id_: State(state) for id_, state in cursor.fetchall()}


def record_attempts(connection: BaseDatabaseWrapper, attempts: Sequence[Sequence[Any]]) -> None:
    time = _times(connection)
    adapted = [[time(value) if isinstance(value, datetime) else value for value in attempt] for attempt in attempts]
    with connection.cursor() as cursor:
        cursor.executemany(RECORD_ATTEMPT, adapted)


def insert_job(connection: BaseDatabaseWrapper, job: Sequence[Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"{INSERT_JOB} ON CONFLICT (id) DO NOTHING", job)
        return bool(cursor.rowcount)


def insert_jobs(connection: BaseDatabaseWrapper, jobs: Sequence[Sequence[Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(INSERT_JOB, jobs)


def is_busy(error: Exception) -> bool:
    return "locked" in str(error)


def is_outage(error: Exception) -> bool:
    return isinstance(error, OperationalError | InterfaceError)


def is_crowded(_error: Exception) -> bool:
    return False


def is_conflict(_error: Exception) -> bool:
    return False


def explain(connection: BaseDatabaseWrapper, error: Error) -> DatabaseUnavailable | None:
    text = str(error)
    for sign, meaning in _UNAVAILABLE.items():
        if sign in text:
            return DatabaseUnavailable(meaning.format(place=address(connection)))
    return None


_UNAVAILABLE = {
    "locked": "the database is busy: another process holds its write lock; safe to repeat",
    "disk is full": "the disk that holds the database is full; free some space, then repeat",
    "readonly database": "the database is read-only; check the permissions of the file and of its folder",
    "unable to open": "the database cannot be opened; check that its folder exists and may be written to",
    "disk I/O error": "the disk that holds the database is full or fails; free some space or check it, then repeat",
    "no such table": "the database {place} has no tables for the queue; make them with: queuectl initdb",
    "no such column": "the database is older than this code; bring it up to date with: queuectl initdb",
    "not a database": "the file is not an SQLite database",
    "malformed": "the database file is damaged; restore a backup (sqlite.org/recovery.html)",
}


def _times(connection: BaseDatabaseWrapper) -> Callable[[datetime], str]:
    """Return what makes of a time the text that Django stores; times written in two forms would not compare.

    Several are stored for every job, and Django's own way reads the settings of project and connection for each.
    """
    zone = connection.timezone

    def text(moment: datetime) -> str:
        return moment.astimezone(zone).replace(tzinfo=None).isoformat(" ")

    return text
