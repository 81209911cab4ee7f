"""MariaDB statements. It cannot return what it updated: rows are locked and read, then updated.

`jobs_job.pool` is a column that the ORM does not know: the state, or one word for several (the first migration).
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.db import Error, IntegrityError, InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from jobs.errors import DatabaseUnavailable
from jobs.sql.address import address
from jobs.sql.rows import CLAIM_COLUMNS, INSERT_JOB, Finish
from jobs.sql.waking import Poller, Waker
from jobs.states import FINAL, State

# Asked once for each queue: the optimizer jumps through the index for a value, but not for a column of another query.
NEXT_PENDING_QUEUE = "SELECT MIN(queue) FROM jobs_job WHERE state = 'pending' AND queue > %s"

IS_ANYTHING_PENDING = "SELECT 1 FROM jobs_job WHERE state = 'pending' LIMIT 1"

NEXT_OF_QUEUE = """(
    SELECT queue, priority, run_at, id
      FROM jobs_job FORCE INDEX (jobs_job_pending)
     WHERE state = 'pending' AND queue = %s
     ORDER BY priority DESC, run_at, id
     LIMIT %s
)"""

# How many jobs each queue gives: as many as it has among the next jobs of them all.
WANTED = """
SELECT queue, COUNT(*)
  FROM (SELECT queue FROM ({candidates}) AS following ORDER BY priority DESC, run_at, id LIMIT %s) AS candidates
 GROUP BY queue
"""

# MariaDB before 10.8 sorts here, and locks all pending jobs of the queue while it does: right, but one at a time.
LOCK_NEXT = """
SELECT {columns}
  FROM jobs_job FORCE INDEX (jobs_job_pending)
 WHERE state = 'pending' AND queue = %s
 ORDER BY priority DESC, run_at, id
 LIMIT %s
   FOR UPDATE SKIP LOCKED
"""

CLAIM = """
UPDATE jobs_job
   SET state = 'processing',
       fence = fence + 1,
       attempts = attempts + 1,
       supervisor_id = %s,
       claimed_at = %s,
       started_at = NULL
 WHERE id IN %s
"""

LOCK_HELD = """
SELECT id, fence, supervisor_id, cancel_requested_at IS NOT NULL
  FROM jobs_job
 WHERE id IN %s
   AND state = 'processing'
   FOR UPDATE
"""

FINISH = """
UPDATE jobs_job
  JOIN JSON_TABLE(
           %s, '$[*]' COLUMNS (
               id VARCHAR(64) PATH '$.id',
               state VARCHAR(16) PATH '$.state',
               outcome VARCHAR(16) PATH '$.outcome',
               exit_code INTEGER PATH '$.exit_code',
               error LONGTEXT PATH '$.error',
               started_at DATETIME(6) PATH '$.started_at',
               finished_at DATETIME(6) PATH '$.finished_at',
               run_at DATETIME(6) PATH '$.run_at',
               refund INTEGER PATH '$.refund',
               postponed INTEGER PATH '$.postponed',
               return_value LONGTEXT PATH '$.return_value'
           )
       ) AS ended ON jobs_job.id = ended.id
   SET jobs_job.state = ended.state,
       jobs_job.finished_at = ended.finished_at,
       jobs_job.supervisor_id = NULL,
       jobs_job.exit_code = IF(ended.outcome IS NULL, jobs_job.exit_code, ended.exit_code),
       jobs_job.error = IF(ended.outcome IS NULL, jobs_job.error, ended.error),
       jobs_job.outcome = COALESCE(ended.outcome, jobs_job.outcome),
       jobs_job.return_value = ended.return_value,
       jobs_job.started_at = ended.started_at,
       jobs_job.run_at = COALESCE(ended.run_at, jobs_job.run_at),
       jobs_job.attempts = jobs_job.attempts - ended.refund,
       jobs_job.postponements = jobs_job.postponements + ended.postponed
"""

RECORD_ATTEMPT = """
INSERT INTO jobs_attempt (job_id, fence, number, host, pid, started_at, finished_at, run_seconds, outcome, exit_code,
                          error, exception_class, traceback, progress, progress_message, output_head, output_tail,
                          output_dropped_bytes)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON DUPLICATE KEY UPDATE
       pid = VALUES(pid),
       started_at = VALUES(started_at),
       finished_at = VALUES(finished_at),
       run_seconds = VALUES(run_seconds),
       outcome = VALUES(outcome),
       exit_code = VALUES(exit_code),
       error = VALUES(error),
       exception_class = VALUES(exception_class),
       traceback = VALUES(traceback),
       progress = VALUES(progress),
       progress_message = VALUES(progress_message),
       output_head = VALUES(output_head),
       output_tail = VALUES(output_tail),
       output_dropped_bytes = VALUES(output_dropped_bytes)
"""

IS_LOCAL = False
CAN_ANNOUNCE = False
HAS_LOG = False
LEASE_SECONDS = 60.0
# The driver alone can end its own waiting while it connects. The rest is cut before that (`lifeline`).
PATIENCE = {"connect_timeout": 5, "read_timeout": 20, "write_timeout": 20}  # seconds
IDLE_LIMIT = "jobs.sql.mysql.idle"  # the name of the receiver that sets it on new connections
OLDEST = (10, 6)  # the first with SKIP LOCKED and JSON_TABLE


def prepare(connection: BaseDatabaseWrapper, *, idle_seconds: float) -> None:
    """Notice a dead server; and lock no more than what is claimed, whatever isolation the project set for itself."""
    connection.close()
    options = PATIENCE | connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = options | {"isolation_level": "read committed"}
    limit = partial(_limit_idle, connection.alias, max(1, round(idle_seconds)))
    connection_created.disconnect(dispatch_uid=IDLE_LIMIT)  # else an older limit would stay
    connection_created.connect(limit, weak=False, dispatch_uid=IDLE_LIMIT)


def _limit_idle(alias: str, seconds: int, *, connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.alias == alias:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION idle_transaction_timeout = {seconds}")


def check(connection: BaseDatabaseWrapper) -> None:
    """Raise DatabaseUnavailable if the server is not MariaDB, which has the same driver as its relatives."""
    server: Any = connection  # of which the base class knows nothing
    if not server.mysql_is_mariadb or server.mysql_version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise DatabaseUnavailable(
            f"the server is {server.mysql_server_info}; the queue needs MariaDB {oldest} or newer"
        )


def limit_wait(connection: BaseDatabaseWrapper, *, seconds: float) -> None:
    options = connection.settings_dict["OPTIONS"]
    wait = f"SET SESSION innodb_lock_wait_timeout = {max(1, round(seconds))}"
    connection.settings_dict["OPTIONS"] = PATIENCE | {"init_command": wait} | options


def server_time(connection: BaseDatabaseWrapper) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT UTC_TIMESTAMP(6)")
        (time,) = cursor.fetchone()
        return time.replace(tzinfo=UTC)  # type: ignore[no-any-return]


def network_file_system(_connection: BaseDatabaseWrapper) -> str | None:
    """Return None: its files are the server's affair."""
    return None


def facts(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return version and name of the database, and what a diagnosis of it needs to know."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT VERSION(), DATABASE(), @@read_only, @@innodb_flush_log_at_trx_commit, @@character_set_database"
        )
        version, name, is_read_only, flush, charset = cursor.fetchone()
        oldest = _oldest_snapshot(cursor)
    found = {
        "product": f"MariaDB {version.split('-')[0]}",
        "name": name,
        "is_replica": str(bool(is_read_only)).lower(),
        "innodb_flush_log_at_trx_commit": str(flush),
        "character_set": charset,
    }
    if oldest is not None:
        found |= {"oldest_snapshot_seconds": str(oldest[0]), "oldest_snapshot_holder": oldest[1]}
    return found


# What keeps old versions of the queue's rows from being purged: a transaction left open.
OLDEST_SNAPSHOT = """
SELECT TIMESTAMPDIFF(SECOND, trx_started, NOW()), CONCAT('connection ', trx_mysql_thread_id)
  FROM information_schema.innodb_trx
 WHERE trx_mysql_thread_id <> CONNECTION_ID()
 ORDER BY trx_started
 LIMIT 1
"""


def _oldest_snapshot(cursor: Any) -> Sequence[Any] | None:
    try:
        cursor.execute(OLDEST_SNAPSHOT)
    except OperationalError:  # it takes the privilege PROCESS, which a worker's user need not have
        return None
    return cursor.fetchone()  # type: ignore[no-any-return]


def waker(connection: BaseDatabaseWrapper) -> Waker:
    return Poller(lambda: is_anything_pending(connection))


def announce(_connection: BaseDatabaseWrapper, _queue: str) -> None:
    """Do nothing: there is nothing to tell it with."""


def maintain(_connection: BaseDatabaseWrapper) -> None:
    """Do nothing: InnoDB purges by itself."""


def relieve(_connection: BaseDatabaseWrapper) -> None:
    """Do nothing: the server sees to itself."""


def pending_queues(connection: BaseDatabaseWrapper) -> list[str]:
    queues: list[str] = []
    with connection.cursor() as cursor:
        while True:
            cursor.execute(NEXT_PENDING_QUEUE, [queues[-1] if queues else ""])
            (queue,) = cursor.fetchone()
            if queue is None:
                return queues
            queues.append(queue)


def is_anything_pending(connection: BaseDatabaseWrapper) -> bool:
    """Asked dozens of times a second by an idle supervisor: past Django's cursors, which cost twice as much."""
    connection.ensure_connection()
    with connection.wrap_database_errors:
        connection.connection.query(IS_ANYTHING_PENDING)
        return bool(connection.connection.store_result().fetch_row())


def claim(
    connection: BaseDatabaseWrapper, *, queues: Sequence[str], limit: int, supervisor_id: int, now: datetime
) -> Sequence[Sequence[Any]]:
    found: list[Sequence[Any]] = []
    with connection.cursor() as cursor:
        for queue, quota in _wanted(cursor, queues, limit):
            cursor.execute(LOCK_NEXT.format(columns=CLAIM_COLUMNS), [queue, quota])
            found += cursor.fetchall()
        if found:
            ids = tuple(row[0] for row in found)
            cursor.execute(CLAIM, [supervisor_id, connection.ops.adapt_datetimefield_value(now), ids])
    return [(id_, fence + 1, attempts + 1, *rest) for id_, fence, attempts, *rest in found]  # as updated


def _wanted(cursor: Any, queues: Sequence[str], limit: int) -> Sequence[tuple[str, int]]:
    """Return how many jobs each queue gives."""
    if len(queues) == 1:
        return [(queues[0], limit)]
    candidates = " UNION ALL ".join([NEXT_OF_QUEUE] * len(queues))
    per_queue = [value for queue in queues for value in (queue, limit)]
    cursor.execute(WANTED.format(candidates=candidates), [*per_queue, limit])
    return cursor.fetchall()  # type: ignore[no-any-return]


def finish(
    connection: BaseDatabaseWrapper, finishes: Sequence[Finish], attempts: Sequence[Sequence[Any] | None]
) -> dict[str, State]:
    states = _finish(connection, finishes)
    record_attempts(connection, [attempt for attempt in attempts if attempt is not None and attempt[0] in states])
    return states


def _finish(connection: BaseDatabaseWrapper, finishes: Sequence[Finish]) -> dict[str, State]:
    if not finishes:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(LOCK_HELD, [tuple(end.id for end in finishes)])
        held = {tuple(row[:3]): bool(row[3]) for row in cursor.fetchall()}
        ended = [
            (end, end.state_if_cancelled if held[key] else end.state, held[key])
            for end in finishes
            if (key := (end.id, end.fence, end.supervisor_id)) in held
        ]
        if ended:
            cursor.execute(FINISH, [json.dumps([_as_written(connection, *values) for values in ended])])
    return {end.id: state for end, state, _ in ended}


def _as_written(
    connection: BaseDatabaseWrapper, end: Finish, state: State, is_cancel_requested: bool
) -> dict[str, Any]:
    def time(value: datetime | None) -> str | None:
        return connection.ops.adapt_datetimefield_value(value)

    is_final = is_cancel_requested or state in FINAL
    return {
        "id": end.id,
        "state": state,
        "outcome": end.outcome,
        "exit_code": end.exit_code,
        "error": end.error,
        "started_at": time(end.started_at),
        "finished_at": time(end.ended_at) if is_final else None,
        "run_at": time(end.run_at),
        "refund": end.refund,
        "postponed": end.postponed,
        "return_value": end.return_value,
    }


def record_attempts(connection: BaseDatabaseWrapper, attempts: Sequence[Sequence[Any]]) -> None:
    adapt = connection.ops.adapt_datetimefield_value
    adapted = [[adapt(value) if isinstance(value, datetime) else value for value in attempt] for attempt in attempts]
    with connection.cursor() as cursor:
        cursor.executemany(RECORD_ATTEMPT, adapted)


def insert_job(connection: BaseDatabaseWrapper, job: Sequence[Any]) -> bool:
    """Take the failure for an answer: it undoes this statement alone. IGNORE would ignore other mistakes, too."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(INSERT_JOB, job)
        except IntegrityError as error:
            if _number(error) != DUPLICATE:
                raise
            return False
    return True


def insert_jobs(connection: BaseDatabaseWrapper, jobs: Sequence[Sequence[Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(INSERT_JOB, jobs)  # the driver makes statements of many rows of it


DUPLICATE = 1062
# Error numbers that say nothing against the statement (mariadb.com/kb/en/mariadb-error-codes).
LOCK_NOT_HAD = 1205
CONFLICTS = {1020, LOCK_NOT_HAD, 1213}  # a row has changed since it was read; deadlock
UNREACHABLE = {1927, 2002, 2003, 2005, 2006, 2013, 2055, 4031}
REFUSED = {1044, 1045, 1129, 1130, 1698}
FULL = {1021, 1037, 1038, 1041}
TOO_MANY = {1040, 1203, 1226}
READ_ONLY = {1290, 1792, 1836}
STOPPING = {1053, 1077, 1079, 1080, 1317, 3024}
NO_DATABASE = {1049}
OUTAGES = CONFLICTS | UNREACHABLE | REFUSED | FULL | TOO_MANY | READ_ONLY | STOPPING | NO_DATABASE


def is_outage(error: Exception) -> bool:
    number = _number(error)
    return number in OUTAGES or (number is None and isinstance(error, OperationalError | InterfaceError))


def is_busy(error: Exception) -> bool:
    return _number(error) in CONFLICTS


def is_crowded(error: Exception) -> bool:
    return _number(error) in TOO_MANY


def is_conflict(error: Exception) -> bool:
    return _number(error) in CONFLICTS - {LOCK_NOT_HAD}


def _number(error: Exception) -> int | None:
    return error.args[0] if error.args and isinstance(error.args[0], int) and error.args[0] else None


def explain(connection: BaseDatabaseWrapper, error: Error) -> DatabaseUnavailable | None:
    number = _number(error)
    said = " ".join(str(error.args[-1] if error.args else error).split())
    if number is None and isinstance(error, OperationalError | InterfaceError):
        return DatabaseUnavailable(f"the database cannot be reached: {said or 'the connection is gone'}")
    for numbers, meaning in _UNAVAILABLE:
        if number in numbers:
            return DatabaseUnavailable(meaning.format(said, place=address(connection)))
    return None


_UNAVAILABLE = (
    (CONFLICTS, "the database is busy: another transaction was in the way; safe to repeat"),
    (UNREACHABLE, "the database cannot be reached: {}"),
    (REFUSED, "the database refuses this user: {}"),
    (FULL, "the disk or the memory of the database is full; free some, then repeat"),
    (TOO_MANY, "the database takes no more connections; end some, or raise max_connections"),
    (READ_ONLY, "the database is read-only, perhaps a replica; let DATABASES name the primary"),
    (STOPPING, "the database is being stopped: {}"),
    (NO_DATABASE, "there is no such database: {}"),
    ({1146}, "the database {place} has no tables for the queue; make them with: queuectl initdb"),
    ({1054}, "the database is older than this code; bring it up to date with: queuectl initdb"),
)
