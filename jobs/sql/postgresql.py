"""PostgreSQL statements. Rows are claimed under locks that other supervisors skip, so nobody waits for anybody."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import Error, InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from jobs.errors import DatabaseUnavailable
from jobs.sql import listening
from jobs.sql.address import address
from jobs.sql.listening import PATIENCE
from jobs.sql.rows import ATTEMPT_COLUMNS, CLAIM_COLUMNS, INSERT_JOB, Finish
from jobs.sql.waking import Waker
from jobs.states import State

# Each step finds the next queue name in the index, so the cost is the number of queues and not of jobs.
PENDING_QUEUES = """
WITH RECURSIVE pending (queue) AS (
    (SELECT queue FROM jobs_job WHERE state = 'pending' ORDER BY queue LIMIT 1)
     UNION ALL
    SELECT (SELECT next.queue FROM jobs_job AS next WHERE next.state = 'pending' AND next.queue > pending.queue
             ORDER BY next.queue LIMIT 1)
      FROM pending
     WHERE pending.queue IS NOT NULL
)
SELECT queue FROM pending WHERE queue IS NOT NULL
"""

IS_ANYTHING_PENDING = "SELECT EXISTS (SELECT 1 FROM jobs_job WHERE state = 'pending')"

# How many jobs each queue gives. Of several queues: as many as it has among the next jobs of them all.
WANTED_OF_ONE = "SELECT %s::text AS queue, %s::bigint AS quota"
WANTED_OF_MANY = """
    SELECT queue, COUNT(*) AS quota
      FROM (
           SELECT next.queue
             FROM unnest(%s::text[]) AS open (queue)
            CROSS JOIN LATERAL (
                  SELECT queue, priority, run_at, id
                    FROM jobs_job
                   WHERE state = 'pending' AND queue = open.queue
                   ORDER BY priority DESC, run_at, id
                   LIMIT %s
                  ) AS next
            ORDER BY next.priority DESC, next.run_at, next.id
            LIMIT %s
           ) AS candidates
     GROUP BY queue
"""

# The array keeps the planner from joining a large table with what it takes for many rows.
CLAIM = """
WITH wanted AS ({wanted}),
     locked AS MATERIALIZED (
         SELECT next.id
           FROM wanted
          CROSS JOIN LATERAL (
                SELECT id
                  FROM jobs_job
                 WHERE state = 'pending' AND queue = wanted.queue
                 ORDER BY priority DESC, run_at, id
                 LIMIT wanted.quota
                   FOR UPDATE SKIP LOCKED
                ) AS next
     )
UPDATE jobs_job
   SET state = 'processing',
       fence = fence + 1,
       attempts = attempts + 1,
       supervisor_id = %s,
       claimed_at = %s,
       started_at = NULL
 WHERE id = ANY (ARRAY(SELECT id FROM locked))
   AND state = 'pending'
RETURNING {columns}
"""

ATTEMPT_AGAIN = """pid = excluded.pid,
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
       output_dropped_bytes = excluded.output_dropped_bytes"""

# One statement, and one text that is parsed, for both tables. Keys that a row has not are NULL.
FINISH = f"""
WITH ended AS MATERIALIZED (
         SELECT *
           FROM json_to_recordset(%s) AS ended (
                id text, fence bigint, supervisor_id bigint, state text, state_if_cancelled text, outcome text,
                exit_code integer, error text, started_at timestamptz, ended_at timestamptz, run_at timestamptz,
                refund integer, postponed integer, return_value text,
                number integer, host text, pid integer, run_seconds double precision, exception_class text,
                traceback text, progress double precision, progress_message text, output_head text, output_tail text,
                output_dropped_bytes bigint
           )
     ),
     finished AS (
         UPDATE jobs_job
            SET state = CASE WHEN cancel_requested_at IS NULL THEN ended.state ELSE ended.state_if_cancelled END,
                finished_at = CASE
                    WHEN cancel_requested_at IS NOT NULL OR ended.state IN ('cancelled', 'completed', 'dead')
                    THEN ended.ended_at
                END,
                supervisor_id = NULL,
                outcome = COALESCE(ended.outcome, jobs_job.outcome),
                exit_code = CASE WHEN ended.outcome IS NULL THEN jobs_job.exit_code ELSE ended.exit_code END,
                error = CASE WHEN ended.outcome IS NULL THEN jobs_job.error ELSE ended.error END,
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
     ),
     recorded AS (
         INSERT INTO jobs_attempt (job_id, fence, number, host, pid, started_at, finished_at, run_seconds, outcome,
                                   exit_code, error, exception_class, traceback, progress, progress_message,
                                   output_head, output_tail, output_dropped_bytes)
         SELECT ended.id, fence, number, host, pid, started_at, ended_at, run_seconds, outcome,
                exit_code, error, exception_class, traceback, progress, progress_message,
                output_head, output_tail, output_dropped_bytes
           FROM ended JOIN finished ON finished.id = ended.id
          WHERE number IS NOT NULL
         ON CONFLICT (job_id, fence) DO UPDATE
            SET {ATTEMPT_AGAIN}
     )
SELECT id, state FROM finished
"""  # noqa: S608 - of our own parts

RECORD_ATTEMPT = f"""
INSERT INTO jobs_attempt (job_id, fence, number, host, pid, started_at, finished_at, run_seconds, outcome, exit_code,
                          error, exception_class, traceback, progress, progress_message, output_head, output_tail,
                          output_dropped_bytes)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (job_id, fence) DO UPDATE
   SET {ATTEMPT_AGAIN}
"""  # noqa: S608

COPY_JOBS = """
COPY jobs_job (id, kind, queue, state, priority, command, uses_shell, cwd, env, signature, task, args,
               kwargs, backend, max_retries, backoff_base, backoff_max_seconds, timeout_seconds, run_at,
               enqueued_at, attempts, postponements, fence)
FROM STDIN
"""

IS_LOCAL = False
CAN_ANNOUNCE = True
HAS_LOG = False
LEASE_SECONDS = 60.0


def prepare(connection: BaseDatabaseWrapper, *, idle_seconds: float) -> None:
    """Make this process notice a dead server; and see what others committed, whatever the project set for itself."""
    import psycopg  # noqa: PLC0415 - a project on another database need not have it

    connection.close()
    options = connection.settings_dict["OPTIONS"]
    isolation = {"isolation_level": psycopg.IsolationLevel.READ_COMMITTED}
    connection.settings_dict["OPTIONS"] = PATIENCE | options | isolation
    connection.execute_wrappers.append(partial(_limit_idle, round(1000 * idle_seconds)))


def _limit_idle(milliseconds: int, execute: Callable[..., Any], *statement: Any) -> Any:
    """Begin each transaction with its limit. A pooler would hand a limit of the session on to others."""
    context = statement[-1]
    connection = context["connection"]
    if connection.in_atomic_block and connection.connection.info.transaction_status.name == "IDLE":
        execute(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}", None, False, context)
    return execute(*statement)


def check(_connection: BaseDatabaseWrapper) -> None:
    """Do nothing: the server says itself what is wrong."""


def limit_wait(connection: BaseDatabaseWrapper, *, seconds: float) -> None:
    options = connection.settings_dict["OPTIONS"]
    patience = PATIENCE | {"tcp_user_timeout": round(1000 * seconds)}
    connection.settings_dict["OPTIONS"] = patience | options


def server_time(connection: BaseDatabaseWrapper) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (time,) = cursor.fetchone()
        return time  # type: ignore[no-any-return]


def network_file_system(_connection: BaseDatabaseWrapper) -> str | None:
    """Return None: its files are the server's affair."""
    return None


def facts(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return version and name of the database, and what a diagnosis of it needs to know."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), current_database(), pg_is_in_recovery(), "
            "current_setting('synchronous_commit'), current_setting('autovacuum')"
        )
        version, name, is_replica, synchronous_commit, autovacuum = cursor.fetchone()
        cursor.execute(OLDEST_SNAPSHOT)
        row = cursor.fetchone()
    found = {
        "product": f"PostgreSQL {version.split()[0]}",
        "name": name,
        "is_replica": str(is_replica).lower(),
        "synchronous_commit": synchronous_commit,
        "autovacuum": autovacuum,
    }
    if row is not None:
        found |= {"oldest_snapshot_seconds": f"{row[0]:.0f}", "oldest_snapshot_holder": row[1]}
    return found


# What keeps dead rows of the queue from being removed: a transaction left open, or a replication slot.
OLDEST_SNAPSHOT = """
SELECT EXTRACT(EPOCH FROM clock_timestamp() - xact_start),
       format('process %%s of user %%s (%%s)', pid, usename, COALESCE(NULLIF(application_name, ''), state))
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
 ORDER BY xact_start
 LIMIT 1
"""


def waker(connection: BaseDatabaseWrapper) -> Waker:
    return listening.Listener(connection, lambda: is_anything_pending(connection))


def announce(connection: BaseDatabaseWrapper, queue: str) -> None:
    """Tell whoever listens that something was committed. To be called after the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [listening.CHANNEL, queue])


def maintain(_connection: BaseDatabaseWrapper) -> None:
    """Do nothing: autovacuum does it, with the settings that the migrations give the tables."""


def relieve(_connection: BaseDatabaseWrapper) -> None:
    """Do nothing: the server sees to itself."""


def pending_queues(connection: BaseDatabaseWrapper) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(PENDING_QUEUES)
        return [queue for (queue,) in cursor.fetchall()]


def is_anything_pending(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(IS_ANYTHING_PENDING)
        return bool(cursor.fetchone()[0])


def claim(
    connection: BaseDatabaseWrapper, *, queues: Sequence[str], limit: int, supervisor_id: int, now: datetime
) -> Sequence[Sequence[Any]]:
    parameters: list[Any]
    wanted, parameters = WANTED_OF_MANY, [list(queues), limit, limit]
    if len(queues) == 1:
        wanted, parameters = WANTED_OF_ONE, [queues[0], limit]
    statement = CLAIM.format(wanted=wanted, columns=CLAIM_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, supervisor_id, now])
        return cursor.fetchall()  # type: ignore[no-any-return]


def finish(
    connection: BaseDatabaseWrapper, finishes: Sequence[Finish], attempts: Sequence[Sequence[Any] | None]
) -> dict[str, State]:
    ends = [
        _known(Finish._fields, end) | ({} if attempt is None else _known(ATTEMPT_COLUMNS[2:], attempt[2:]))
        for end, attempt in zip(finishes, attempts, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(FINISH, [json.dumps(ends, default=datetime.isoformat)])
        return {id_: State(state) for id_, state in cursor.fetchall()}


def _known(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def record_attempts(connection: BaseDatabaseWrapper, attempts: Sequence[Sequence[Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(RECORD_ATTEMPT, attempts)


def insert_job(connection: BaseDatabaseWrapper, job: Sequence[Any]) -> bool:
    with connection.cursor() as cursor:
        # A failure would undo the caller's transaction; this only stores nothing.
        cursor.execute(f"{INSERT_JOB} ON CONFLICT (id) DO NOTHING", job)
        return bool(cursor.rowcount)


def insert_jobs(connection: BaseDatabaseWrapper, jobs: Sequence[Sequence[Any]]) -> None:
    """Store them by COPY, which Django's cursors do not know. Its wrappers watch over this one, too (`Deadline`)."""
    copy: Callable[..., Any] = _copy
    for wrapper in reversed(connection.execute_wrappers):
        copy = partial(wrapper, copy)
    with connection.cursor() as cursor:
        copy(COPY_JOBS, jobs, True, {"connection": connection, "cursor": cursor})


def _copy(statement: str, jobs: Sequence[Sequence[Any]], _many: bool, context: dict[str, Any]) -> None:
    with context["connection"].wrap_database_errors, context["cursor"].copy(statement) as copy:
        for job in jobs:
            copy.write_row(job)


# Classes of SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html) that say nothing against the statement.
OUTAGES = (
    "08",  # the connection failed
    "25006",  # read-only: a replica, after the primary has moved
    "25P0",  # the server ended an idle transaction or session
    "40",  # deadlock or serialization failure: another transaction was in the way
    "53",  # too many connections, out of disk or memory
    "55P03",  # a lock was not to be had in time
    "57",  # shut down, cancelled or not yet started
    "58",  # the system under the server failed
)


def is_outage(error: Exception) -> bool:
    state = _state(error)
    if state is None:  # the server never said a word
        return isinstance(error, OperationalError | InterfaceError)
    return state.startswith(OUTAGES)


def is_busy(error: Exception) -> bool:
    return (_state(error) or "").startswith(("40", "55P03"))


def is_crowded(error: Exception) -> bool:
    # A connection that is refused carries no SQLSTATE, only the text, which the server may have translated.
    return (_state(error) or "") in {"53300", "57P03"} or any(sign in str(error) for sign in _CROWDED)


# Who is no superuser hears the last one: the last connections are kept for those who are.
_CROWDED = ("too many clients", "too many connections", "remaining connection slots are reserved")


def is_conflict(error: Exception) -> bool:
    return (_state(error) or "") in {"40001", "40P01"}


def _state(error: Exception) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def explain(connection: BaseDatabaseWrapper, error: Error) -> DatabaseUnavailable | None:
    state = _state(error)
    if state is None and any(sign in str(error) for sign in _CROWDED):
        state = "53300"
    if state is None and isinstance(error, OperationalError | InterfaceError):
        return DatabaseUnavailable(f"the database cannot be reached: {_one_line(error)}")
    for sign, meaning in _UNAVAILABLE.items():
        if state is not None and state.startswith(sign):
            return DatabaseUnavailable(meaning.format(_one_line(error), place=address(connection)))
    return None


_UNAVAILABLE = {
    "25006": "the database is read-only, perhaps a replica; let DATABASES name the primary",
    "40": "the database is busy: another transaction was in the way; safe to repeat",
    "42P01": "the database {place} has no tables for the queue; make them with: queuectl initdb",
    "42703": "the database is older than this code; bring it up to date with: queuectl initdb",
    "53300": "the database takes no more connections; end some, or raise max_connections",
    "53100": "the disk that holds the database is full; free some space, then repeat",
    "55P03": "the database is busy: another transaction holds a lock; safe to repeat",
    "08": "the database cannot be reached: {}",
    "57": "the database is being stopped or started: {}",
}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
