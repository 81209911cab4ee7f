"""What a queue costs with a crowd of other jobs in its table. Runs in the environment of this project, for `growth.py`.

Jobs are put into the table by one statement of the server; those that are measured take the ordinary ways.
"""

import functools
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from jobs import new_job, queue, stats
from jobs.models import Job
from jobs.outcome import Outcome
from jobs.states import Ending

TURNS = 40
BATCH = 20  # jobs in a turn
ENQUEUED = 100
READ = 5  # how often a page and the numbers are read: the fastest counts, as nothing but the table may slow it

SERIES = {
    "sqlite": "SELECT {columns} FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
    "WHERE i < {rows}) SELECT i FROM n) AS n",
    "postgresql": "SELECT {columns} FROM generate_series(1, {rows}) AS n (i)",
    "mysql": "SELECT {columns} FROM (SELECT seq AS i FROM seq_1_to_{rows}) AS n",
}
FILL = """
INSERT INTO jobs_job (id, kind, queue, state, priority, command, uses_shell, run_at, enqueued_at, attempts, fence,
                      postponements, finished_at)
"""
COLUMNS = """
CONCAT('{kind}-', i), 'shell', 'default', '{state}', {priority}, 'true', {true}, TIMESTAMP '{run_at}',
TIMESTAMP '{run_at}', 0, 0, 0, {finished_at}
"""
# Future jobs are more urgent than those that are measured, pending ones less: the claim must find its way past both.
CROWDS = {
    "finished": {"state": "completed", "priority": 0, "finished_at": "TIMESTAMP '2026-01-01 00:00:00'"},
    "future": {"state": "scheduled", "priority": 100, "finished_at": "NULL"},
    "pending": {"state": "pending", "priority": -100, "finished_at": "NULL"},
    "dead": {"state": "dead", "priority": 0, "finished_at": "TIMESTAMP '2026-01-01 00:00:00'"},
}


def fill(kind: str, rows: int) -> None:
    """Put `rows` jobs of one of CROWDS into the table."""
    crowd, vendor = CROWDS[kind], connection.vendor
    run_at = datetime(2100 if kind == "future" else 2026, 1, 1)  # noqa: DTZ001 - a literal of SQL
    columns = COLUMNS.format(kind=kind, run_at=run_at, true="TRUE" if vendor == "postgresql" else 1, **crowd)
    statement = FILL + SERIES[vendor].format(rows=rows, columns=columns)
    if vendor == "sqlite":  # which has neither
        statement = statement.replace(f"CONCAT('{kind}-', i)", f"'{kind}-' || i").replace("TIMESTAMP ", "")
    with connection.cursor() as cursor:
        cursor.execute(statement)


def costs(prefix: str) -> dict[str, float]:
    """Return milliseconds: a turn of BATCH jobs, enqueueing one, the numbers of `status`, the admin's list."""
    return {
        "growth_turn": _turn(prefix) * 1_000,
        "growth_enqueue": _enqueue(prefix) * 1_000,
        "growth_status": _fastest(lambda: stats.status(counts=stats.count_jobs(), now=timezone.now())) * 1_000,
        "growth_list": _fastest(lambda: visit("job/")) * 1_000,
    }


def _turn(prefix: str) -> float:
    """Claim and record jobs, as a supervisor does; return seconds for a turn. Raise ValueError if not all are done."""
    now = timezone.now()
    count = TURNS * BATCH
    fields = [{"id": f"{prefix}-{number}", "command": ["true"]} for number in range(count)]
    queue.enqueue_many([new_job.from_fields(field, now=now) for field in fields], now=now)
    supervisor = queue.register(
        marker="bench", host="bench", machine="bench", pid=1, process_started="0", version="0", worker_count=1,
        thread_count=1, lease_seconds=60, started_at=now, heartbeat_at=now,
    )  # fmt: skip
    policies = queue.load_policies(now=now)
    outcome = Outcome(
        ending=Ending.COMPLETED,
        started_at=now,
        finished_at=now + timedelta(milliseconds=1),
        run_seconds=0.001,
        exit_code=0,
    )
    ended: list[queue.Ended] = []
    started = time.perf_counter()
    for turn in range(TURNS + 1):
        with transaction.atomic():
            queue.record(ended, policies=policies, host="bench", now=now, chance=lambda: 0.0)
            queue.promote(now=now)
            limit = BATCH if turn < TURNS else 0
            claims = queue.claim(supervisor_id=supervisor.pk, queues=None, limit=limit, policies=policies, now=now)
        ended = [queue.Ended(claim, outcome) for claim in claims]
    seconds = (time.perf_counter() - started) / TURNS
    done = Job.objects.filter(pk__startswith=f"{prefix}-", state="completed").count()
    if done != count:
        raise ValueError(f"{done:,} of {count:,} jobs were completed")
    return seconds


def _enqueue(prefix: str) -> float:
    started = time.perf_counter()
    for number in range(ENQUEUED):
        now = timezone.now()
        queue.enqueue(new_job.from_fields({"id": f"{prefix}+{number}", "command": ["true"]}, now=now), now=now)
    seconds = (time.perf_counter() - started) / ENQUEUED
    Job.objects.filter(pk__startswith=f"{prefix}+").delete()
    return seconds


def visit(path: str) -> None:
    """Ask for a page of the queue's admin. Raise ValueError if it cannot be had."""
    response = _browser().get(f"/admin/jobs/{path}")
    if response.status_code != 200:
        raise ValueError(f"the admin answered {path} with {response.status_code}")


@functools.cache
def _browser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    return client


def _fastest(read: Callable[[], object]) -> float:
    return min(_seconds(read) for _ in range(READ))


def _seconds(read: Callable[[], object]) -> float:
    started = time.perf_counter()
    read()
    return time.perf_counter() - started
