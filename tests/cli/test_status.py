"""`status`: numbers, a verdict, and an exit code for probes."""

import json

import pytest

from jobs import queue
from jobs.states import State
from tests.cli.command import Terminal, ok, queuectl
from tests.cli.test_worker import make_dead, make_living
from tests.clock import NOW
from tests.factories import make_job, make_jobs
from tests.faked_time import fake_time

pytestmark = pytest.mark.django_db


def test_it_counts_and_judges():
    make_jobs({"id": f"{state}{n}", "state": state} for state in (State.PENDING, State.DEAD) for n in range(2))
    lines = ok("status").splitlines()
    assert lines[0].startswith("stalled  2 jobs wait, the oldest for ")
    assert lines[0].endswith(", and no worker is running")
    assert lines[1] == "  try  queuectl worker start"
    assert [line.split()[:2] for line in lines[3:10]] == [
        ["scheduled", "0"],
        ["pending", "2"],
        ["processing", "0"],
        ["failed", "0"],
        ["dead", "2"],
        ["completed", "0"],
        ["cancelled", "0"],
    ]


def test_it_gives_programs_every_number():
    make_job()
    found = json.loads(ok("status", "--json"))
    assert found["health"] == {
        "verdict": "stalled",
        "is_healthy": False,
        "cause": found["health"]["cause"],
        "remedy": "queuectl worker start",
    }
    assert found["jobs"] == {state.value: int(state is State.PENDING) for state in State}
    assert found["capped"] == []
    assert found["queues"][0]["queue"] == "default"


def test_it_is_healthy_when_a_worker_serves_what_waits():
    make_living()
    make_job()
    assert queuectl("status", "--check").code == 0


def test_it_is_unhealthy_when_due_work_waits_for_nobody():
    assert queuectl("status", "--check").code == 0
    make_job()
    assert queuectl("status", "--check").code == 3
    assert queuectl("status").code == 0


def test_it_is_unhealthy_when_a_worker_died_with_a_job_and_none_is_running():
    make_job(state=State.PROCESSING, supervisor=make_dead())
    done = queuectl("status", "--check")
    assert done.code == 3
    assert done.out.splitlines()[:2] == [
        "stalled  1 job was in the hands of a worker that died, and no worker is running",
        "  try  queuectl worker start",
    ]


def test_it_is_unhealthy_when_a_job_waits_too_long():
    make_living()
    make_job()
    assert queuectl("status", "--check", "--max-wait", "1s").code == 3


def test_it_is_not_unhealthy_for_a_pause():
    make_job()
    queue.pause("default", now=NOW, reason="moving house", by="anna")
    done = queuectl("status", "--check")
    assert done.code == 0
    assert done.out.startswith(
        "paused  all due jobs wait in default, which is paused by anna since 2026-01-02 03:04:05 UTC: moving house\n"
    )


@pytest.mark.parametrize("flag", [[], ["--exact"]])
def test_it_says_when_a_count_is_a_lower_bound(monkeypatch, flag):
    monkeypatch.setattr("jobs.stats._counts.COUNT_MAX", 3)
    make_jobs({"id": f"a{n}", "state": State.DEAD} for n in range(5))
    assert ("3+" in ok("status", *flag)) is not flag


def test_it_is_watched_until_interrupted(monkeypatch):
    make_job()
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    fake_time(monkeypatch, "jobs.cli.status", sleep=sleep)
    done = queuectl("status", "--watch", "--json")
    assert (done.code, looks) == (0, [2.0, 2.0, 2.0])
    assert len([json.loads(line) for line in done.out.splitlines()]) == 3


def test_it_redraws_on_a_terminal(monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    fake_time(monkeypatch, "jobs.cli.screen", sleep=interrupt)
    monkeypatch.setenv("TERM", "xterm")
    done = queuectl("status", "--watch", "5", stdout=Terminal())
    assert done.code == 0
    assert "every 5.0s; Ctrl-C ends" in done.out
