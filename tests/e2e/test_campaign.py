"""P5, P6, P23: many kills, many supervisors, and a lock that someone else holds."""

import contextlib
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.e2e.site import READY, Site, Supervisor
from tests.waiting import wait_until

START = 'echo "S $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $QUEUECTL_FENCE" >> "$LEDGER"'
END = 'echo "E $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $QUEUECTL_FENCE" >> "$LEDGER"'
START_IN = 'echo "S $QUEUECTL_JOB_ID $PPID" >> "$LEDGER"'  # with the worker that started it
CAMPAIGN_SECONDS = 15.0
USUAL_FLEET = 6
FLEET = int(os.environ.get("FLEET", USUAL_FLEET))  # supervisors that start at once
FLEET_JOBS = int(os.environ.get("FLEET_JOBS", "1000"))
FLEET_SECONDS = 60 + 10 * FLEET + FLEET_JOBS / 20  # for a slow machine with two cores


def _mixed_load(chance: random.Random, count: int) -> list[dict[str, object]]:
    """Jobs that succeed, that fail, that fail at first, that take a while, and that print."""
    kinds = [
        f"{START}; {END}",
        f"{START}; sleep 0.{{n}}; {END}",
        f"{START}; [ $QUEUECTL_ATTEMPT -ge 2 ] && {END}",
        f"{START}; head -c 200000 /dev/zero; {END}",
    ]
    load: list[dict[str, object]] = []
    for number in range(count):
        if number % 20 == 0:
            load.append({"id": f"j{number}", "command": f"{START}; exit 1", "max_retries": 2})
        else:
            command = chance.choice(kinds).replace("{n}", str(chance.randint(1, 9)))
            load.append({"id": f"j{number}", "command": command, "max_retries": 50})
    return load


def test_it_loses_no_job_while_workers_and_supervisors_are_killed(make_site: Callable[..., Site]) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    site = make_site()
    site.ok("config", "set", "backoff-base", "0.3")
    site.ok("config", "set", "backoff-max", "0.5s")
    load = _mixed_load(chance, 200)
    site.enqueue(*load)
    kills = _kill_for_a_while(site, chance)

    site.start("--count", "2")
    site.wait_until_settled(timeout_seconds=90)

    _check(site, expected={str(job["id"]) for job in load}, note=f"seed {seed}, {kills} kills")


def _kill_for_a_while(site: Site, chance: random.Random) -> int:
    """Kill workers and supervisors at random moments; keep two supervisors alive. Return the number of kills."""
    alive = [site.start("--count", "1") for _ in range(2)]
    deadline = time.monotonic() + CAMPAIGN_SECONDS
    kills = 0
    while time.monotonic() < deadline:
        time.sleep(chance.uniform(0.05, 0.5))
        victim = chance.choice(alive)
        if chance.random() < 0.3:
            victim.kill()
            alive.remove(victim)
            alive.append(site.start_unready("--count", "1"))
            kills += 1
        else:
            kills += _kill_a_worker(victim)
    for supervisor in alive:
        supervisor.kill()
    return kills


def _kill_a_worker(supervisor: Supervisor) -> int:
    for pid in supervisor.worker_pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return 1
    return 0


def _check(site: Site, *, expected: set[str], note: str) -> None:
    """Hold the ledger against the database."""
    jobs = {row["id"]: row for row in site.rows("SELECT * FROM jobs_job")}
    assert set(jobs) == expected, note
    assert {row["state"] for row in jobs.values()} <= {"completed", "dead"}, note
    starts = Counter((id_, fence) for _, id_, _, fence in site.lines("S"))
    assert max(starts.values()) == 1, f"{note}: one claim started twice"
    ends = {(id_, int(fence)) for _, id_, _, fence in site.lines("E")}
    for id_, row in jobs.items():
        if row["state"] == "completed":
            assert (id_, row["fence"]) in ends, f"{note}: {id_} is completed, but its last run has no end mark"
        recorded = site.attempts(id_)
        assert [attempt["number"] for attempt in recorded] == list(range(1, row["attempts"] + 1)), note
        assert row["attempts"] <= row["max_retries"] + 1, note
    site.database.check()


@pytest.mark.timeout(2 * FLEET_SECONDS)
def test_it_runs_each_job_once_with_many_supervisors_started_at_once(site: Site) -> None:
    site.ok("queue", "pause", "default")
    site.enqueue(*({"id": f"j{number}", "command": START_IN} for number in range(FLEET_JOBS)))
    supervisors = [site.start_unready("--count", "1") for _ in range(FLEET)]
    for supervisor in supervisors:
        wait_until(lambda: READY in supervisor.said(), timeout_seconds=FLEET_SECONDS)  # noqa: B023

    site.ok("queue", "resume", "default")  # now all reach for the same jobs
    site.wait_until_settled(timeout_seconds=FLEET_SECONDS)

    assert site.states() == {"completed": FLEET_JOBS}
    assert Counter(line[1] for line in site.lines("S")) == {f"j{number}": 1 for number in range(FLEET_JOBS)}
    assert len({worker for _, _, worker in site.lines("S")}) > 1, "one had them all"
    for supervisor in supervisors:
        assert supervisor.process.poll() is None
        # Many more may wait for SQLite's one lock for so long that they say so.
        assert FLEET > USUAL_FLEET or "locked" not in supervisor.log()
        assert "Traceback" not in supervisor.log()


def test_it_takes_a_foreign_lock_for_a_delay(make_sqlite_site: Callable[..., Site]) -> None:
    site = make_sqlite_site(DATABASE_URL="sqlite:///queue.sqlite3?timeout=1")
    supervisor = site.start("--count", "1")
    site.enqueue(
        {"id": "j", "command": f"{START}; sleep 1; {END}"},
        {"id": "late", "command": "sleep 60", "timeout": 2, "max_retries": 0, "priority": -1},
    )
    wait_until(lambda: bool(site.lines("S")), timeout_seconds=10)

    with contextlib.closing(sqlite3.connect(site.home / "queue.sqlite3", isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        wait_until(lambda: bool(site.lines("E")), timeout_seconds=10)
        wait_until(lambda: "database unavailable" in supervisor.log(), timeout_seconds=40)
        busy = site.run("enqueue", "--id", "busy", "true")
        foreign.execute("ROLLBACK")

    site.wait_for_state("j", "completed")
    site.wait_for_state("late", "dead")
    assert busy.returncode == 75
    assert "Traceback" not in busy.stderr
    assert len(site.lines("S")) == 1
    assert "available again" in supervisor.log()
    (attempt,) = site.attempts("late")
    assert attempt["run_seconds"] < 5


def test_it_enforces_deadlines_while_the_database_is_locked(make_sqlite_site: Callable[..., Site]) -> None:
    site = make_sqlite_site(DATABASE_URL="sqlite:///queue.sqlite3?timeout=1")
    site.start("--count", "1")
    site.enqueue({"id": "j", "command": f"{START}; sleep 60", "timeout": 2, "max_retries": 0})
    wait_until(lambda: bool(site.lines("S")), timeout_seconds=10)

    with contextlib.closing(sqlite3.connect(site.home / "queue.sqlite3", isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        wait_until(lambda: not site.marked_processes(), timeout_seconds=8)
        foreign.execute("ROLLBACK")

    job = site.wait_for_state("j", "dead")
    assert job["outcome"] == "timed_out"
    (attempt,) = site.attempts("j")
    assert attempt["run_seconds"] < 5
