"""What a turn costs with a million other jobs in the table, against an empty one (promise P26).

    python benchmarks/claim_growth.py [ROWS]

Each table gets the same work: turns that claim a batch of pending jobs, record them completed, and claim the next.
Every job is counted. The tables alternate in each round; the figure is the median of the rounds, as a ratio to the
empty one.
"""

import os
import statistics
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
ROUNDS = 5
TURNS = 60
BATCH = 20

HOME = Path(tempfile.mkdtemp(prefix="queuectl-bench-"))
os.environ |= {"QUEUECTL_HOME": str(HOME), "DJANGO_SETTINGS_MODULE": "queuectl_site.settings", "LOG_LEVEL": "ERROR"}
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from jobs import new_job, queue  # noqa: E402
from jobs.models import Job  # noqa: E402
from jobs.outcome import Outcome  # noqa: E402
from jobs.states import Ending  # noqa: E402

FILL = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
INSERT INTO jobs_job (id, kind, queue, state, priority, command, uses_shell, run_at, enqueued_at, attempts, fence,
                      postponements, finished_at)
SELECT 'fill-' || i, 'shell', 'default', '{state}', {priority}, 'true', 1, '{run_at}', '{run_at}', 0, 0, 0,
       {finished_at}
  FROM n
"""
TABLES = {
    "empty": None,
    "finished": {"state": "completed", "priority": 0, "finished_at": "'2026-01-01 00:00:00'"},
    "future": {"state": "scheduled", "priority": 100, "finished_at": "NULL"},
    "pending": {"state": "pending", "priority": -100, "finished_at": "NULL"},
}


def main() -> None:
    databases = {name: _make(name, fill) for name, fill in TABLES.items()}
    seconds: dict[str, list[float]] = {name: [] for name in TABLES}
    for number in range(ROUNDS):
        for name, path in databases.items():
            seconds[name].append(_measure(path, f"{name}-{number}"))
    empty = statistics.median(seconds["empty"])
    version = connection.Database.sqlite_version
    print(f"{ROWS:,} rows, SQLite {version}, {ROUNDS} rounds of {TURNS} turns of {BATCH} jobs")
    for name, measured in seconds.items():
        median = statistics.median(measured)
        rate = TURNS * BATCH / median
        print(f"{name:9} {median / TURNS * 1000:7.2f} ms a turn {rate:9,.0f} jobs/s {median / empty:6.2f}")


def _make(name: str, fill: dict[str, object] | None) -> Path:
    path = HOME / f"{name}.sqlite3"
    _use(path)
    call_command("migrate", verbosity=0)
    if fill is not None:
        run_at = datetime(2027, 1, 1) if fill["state"] == "scheduled" else datetime(2026, 1, 1)  # noqa: DTZ001
        with connection.cursor() as cursor:
            cursor.execute(FILL.format(rows=ROWS, run_at=run_at, **fill))
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def _use(path: Path) -> None:
    connection.close()
    connection.settings_dict["NAME"] = str(path)


def _measure(path: Path, prefix: str) -> float:
    _use(path)
    now = timezone.now()
    fields = [{"id": f"{prefix}-{n}", "command": ["true"]} for n in range(TURNS * BATCH)]
    queue.enqueue_many([new_job.from_fields(field, now=now) for field in fields], now=now)
    supervisor = queue.register(
        marker="bench", host="bench", machine="bench", pid=1, process_started="0", version="0", worker_count=1,
        thread_count=1, lease_seconds=60, started_at=now, heartbeat_at=now,
    )  # fmt: skip
    policies = queue.load_policies(now=now)
    started = time.perf_counter()
    ended: list[queue.Ended] = []
    done = 0
    while done < TURNS * BATCH:
        with transaction.atomic():
            recorded = queue.record(ended, policies=policies, host="bench", now=now, chance=lambda: 0.0)
            queue.promote(now=now)
            claims = queue.claim(supervisor_id=supervisor.pk, queues=None, limit=BATCH, policies=policies, now=now)
        done += len(recorded)
        ended = [queue.Ended(claim=claim, outcome=_completed(now)) for claim in claims]
        if not ended and not claims and done < TURNS * BATCH:
            raise SystemExit(f"lost jobs: {done} of {TURNS * BATCH}")
        if done + len(ended) >= TURNS * BATCH:
            break
    elapsed = time.perf_counter() - started
    with transaction.atomic():
        queue.record(ended, policies=policies, host="bench", now=now, chance=lambda: 0.0)
    assert Job.objects.filter(pk__startswith=prefix, state="completed").count() == TURNS * BATCH
    return elapsed


def _completed(now: datetime) -> Outcome:
    finished_at = now + timedelta(milliseconds=1)
    return Outcome(ending=Ending.COMPLETED, started_at=now, finished_at=finished_at, run_seconds=0.001, exit_code=0)


if __name__ == "__main__":
    main()
