"""P1, P2, P3: what `enqueue` has acknowledged is safe, whole, and there once."""

import json
import random
import re
import shutil
import subprocess

import pytest

from tests.e2e.site import CHECKOUT, Site

KILLED = 60  # the large campaign has its own place; this one shows that nothing obvious is broken
KILLED_WITHIN_SECONDS = 1.5  # by when the last of them has ended by itself, if it was let
RACERS = 16


def test_it_keeps_every_acknowledged_job_when_enqueue_is_killed_at_random(site: Site) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    jobs = [{"id": f"j{n}", "command": f"echo {n}", "env": {"N": "x" * 2_000}} for n in range(KILLED)]

    ends = site.run_together(
        *(["enqueue", "--quiet", json.dumps(job)] for job in jobs),
        kill_after_seconds=[chance.uniform(0, KILLED_WITHIN_SECONDS) for _ in jobs],
    )

    acknowledged = {end.stdout.strip() for end in ends if end.stdout.endswith("\n")}
    stored = {row["id"]: row for row in site.rows("SELECT * FROM jobs_job")}
    assert acknowledged <= set(stored), f"seed {seed}"
    for id_, row in stored.items():
        assert row["command"] == f"echo {id_[1:]}"
        assert json.loads(row["env"]) == {"N": "x" * 2_000}
        assert row["signature"]
    site.database.check()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_it_syncs_the_log_before_it_says_so(sqlite_site: Site) -> None:
    sqlite_site.start("--count", "1")  # with it running, closing the last connection syncs nothing
    trace = sqlite_site.home / "trace"
    options = ["-f", "-y", "-e", "trace=fdatasync,fsync,write,exit_group", "-o", str(trace)]
    command = ["strace", *options, *sqlite_site.command("enqueue", "--quiet", '{"id": "j", "command": "true"}')]

    subprocess.run(command, cwd=CHECKOUT, env=sqlite_site.environment, check=True, capture_output=True)

    lines = trace.read_text().splitlines()
    synced = [n for n, line in enumerate(lines) if re.search(r"f(data)?sync\(\d+<[^>]*-wal>\) = 0", line)]
    said = [n for n, line in enumerate(lines) if re.search(r'write\(1<.*"j\\n"', line)]
    assert synced
    assert said
    assert synced[0] < said[0]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_it_syncs_an_outcome_before_it_says_that_a_job_completed(sqlite_site: Site) -> None:
    sqlite_site.enqueue({"id": "j", "command": "true"})
    options = ["-ff", "-y", "-s", "200", "-e", "trace=fdatasync,fsync,pwrite64,write"]  # a file for each thread
    options += ["-o", str(sqlite_site.home / "trace")]
    command = ["strace", *options, *sqlite_site.command("worker", "start", "--drain")]

    subprocess.run(command, cwd=CHECKOUT, env=sqlite_site.environment, check=True, capture_output=True)

    traces = [trace.read_text() for trace in sqlite_site.home.glob("trace.*")]
    (store,) = (trace for trace in traces if "job completed id=j " in trace)
    before = store[: store.index("job completed id=j ")]
    written = [found.start() for found in re.finditer(r"pwrite64\(\d+<[^>]*-wal>", before)]
    synced = [found.start() for found in re.finditer(r"f(data)?sync\(\d+<[^>]*-wal>\) = 0", before)]
    assert written
    assert synced
    assert written[-1] < synced[-1]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_it_does_not_say_enqueued_when_the_disk_refuses_to_sync(sqlite_site: Site) -> None:
    inject = [
        "strace",
        "-f",
        "-e",
        "trace=fdatasync,fsync",
        "-e",
        "inject=fdatasync,fsync:error=EIO",
        "-o",
        "/dev/null",
    ]
    command = [*inject, *sqlite_site.command("enqueue", '{"id": "j", "command": "true"}')]

    done = subprocess.run(
        command, cwd=CHECKOUT, env=sqlite_site.environment, check=False, capture_output=True, text=True
    )

    assert done.returncode == 75
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_it_lets_one_of_many_at_one_instant_have_an_id(site: Site) -> None:
    runs = [["enqueue", "--id", "one", f"echo {number}"] for number in range(RACERS)]

    ends = site.run_together(*runs)

    assert sorted(end.returncode for end in ends) == [0] + [5] * (RACERS - 1)
    (winner,) = (number for number, end in enumerate(ends) if end.returncode == 0)
    assert [row["command"] for row in site.rows("SELECT command FROM jobs_job")] == [f"echo {winner}"]
    (told,) = {end.stderr for end in ends if end.returncode}
    assert told.endswith("queuectl: one exists already; nothing was changed\n")


def test_it_takes_ids_that_differ_in_case_for_two(site: Site) -> None:
    site.enqueue({"id": "Job1", "command": "true"}, {"id": "job1", "command": "false", "max_retries": 0})
    site.start_unready("--drain").wait()

    assert (site.job("Job1")["state"], site.job("job1")["state"]) == ("completed", "dead")
