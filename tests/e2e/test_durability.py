"""P1, P2, P3: what `enqueue` has acknowledged is safe, whole, and there once."""

import json
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.e2e.site import CHECKOUT, Site

ROUNDS = 40  # the large campaign has its own place; this one shows that nothing obvious is broken
RACERS = 12


def test_it_keeps_every_acknowledged_job_when_enqueue_is_killed_at_random(site: Site) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    acknowledged = []
    for number in range(ROUNDS):
        payload = json.dumps({"id": f"j{number}", "command": f"echo {number}", "env": {"N": "x" * 2_000}})
        process = subprocess.Popen(
            site.command("enqueue", "--quiet", payload), cwd=CHECKOUT, env=site.environment, stdout=subprocess.PIPE
        )
        time.sleep(chance.uniform(0.2, 0.9))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode == 0:
            acknowledged.append(f"j{number}")

    stored = {row["id"]: row for row in site.rows("SELECT * FROM jobs_job")}

    assert set(acknowledged) <= set(stored), f"seed {seed}"
    for id_, row in stored.items():
        assert row["command"] == f"echo {id_[1:]}"
        assert json.loads(row["env"]) == {"N": "x" * 2_000}
        assert row["signature"]
    assert site.rows("PRAGMA integrity_check")[0][0] == "ok"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_it_syncs_the_log_before_it_says_so(site: Site) -> None:
    site.start("--count", "1")  # with it running, closing the last connection syncs nothing
    trace = site.home / "trace"
    options = ["-f", "-y", "-e", "trace=fdatasync,fsync,write,exit_group", "-o", str(trace)]
    command = ["strace", *options, *site.command("enqueue", "--quiet", '{"id": "j", "command": "true"}')]

    subprocess.run(command, cwd=CHECKOUT, env=site.environment, check=True, capture_output=True)

    lines = trace.read_text().splitlines()
    synced = [n for n, line in enumerate(lines) if re.search(r"f(data)?sync\(\d+<[^>]*-wal>\) = 0", line)]
    said = [n for n, line in enumerate(lines) if re.search(r'write\(1<.*"j\\n"', line)]
    assert synced
    assert said
    assert synced[0] < said[0]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_it_does_not_say_enqueued_when_the_disk_refuses_to_sync(site: Site) -> None:
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
    command = [*inject, *site.command("enqueue", '{"id": "j", "command": "true"}')]

    done = subprocess.run(command, cwd=CHECKOUT, env=site.environment, check=False, capture_output=True, text=True)

    assert done.returncode == 75
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_it_lets_one_of_many_at_one_instant_have_an_id(make_site: Callable[..., Site]) -> None:
    site = make_site()
    racers = [
        subprocess.Popen(
            site.command("enqueue", json.dumps({"id": "one", "command": f"echo {number}"})),
            cwd=CHECKOUT,
            env=site.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(RACERS)
    ]
    said = [racer.communicate() for racer in racers]

    codes = sorted(racer.returncode for racer in racers)
    assert codes == [0] + [5] * (RACERS - 1)
    winner = next(number for number, racer in enumerate(racers) if racer.returncode == 0)
    assert site.job("one")["command"] == f"echo {winner}"
    losers = [error for racer, (_, error) in zip(racers, said, strict=True) if racer.returncode]
    assert all("one exists already" in error for error in losers)


def test_it_takes_ids_that_differ_in_case_for_two(site: Site) -> None:
    site.enqueue({"id": "Job1", "command": "true"}, {"id": "job1", "command": "false", "max_retries": 0})
    site.start_unready("--drain").wait()

    assert (site.job("Job1")["state"], site.job("job1")["state"]) == ("completed", "dead")
