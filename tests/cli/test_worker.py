"""`worker`: listing and stopping through the database, and what `start` passes on."""

import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from jobs import identities, queue, supervisor
from jobs.models import Supervisor
from tests.cli.command import ok, queuectl, refused
from tests.factories import make_supervisor
from tests.faked_time import fake_time

pytestmark = pytest.mark.django_db


def make_living(**fields) -> Supervisor:
    """Store a supervisor that is this very process, and was heard of just now."""
    me = identities.own()
    now = timezone.now()
    defaults = {
        "machine": me.machine,
        "pid": me.pid,
        "process_started": me.started,
        "heartbeat_at": now,
        "started_at": now,
    }
    return make_supervisor(**(defaults | fields))


def make_dead(**fields) -> Supervisor:
    return make_living(process_started="0", marker="dead", **fields)


def test_it_lists_living_supervisors():
    make_living(queues=["mail", "web"], worker_count=2, workers=[{"pid": 1, "jobs": ["job1"], "rss_bytes": 1}])
    make_dead()
    text = ok("worker", "list")
    assert re.search(rf"host1:{os.getpid()} +alive", text)
    assert "mail, web" in text
    assert "job1" in text
    assert len(text.splitlines()) == 2


def test_it_lists_those_that_ended_when_asked():
    make_living()
    make_dead()
    states = {row["state"] for row in json.loads(ok("worker", "list", "--all", "--json"))}
    assert states == {"alive", "gone"}


def test_it_says_how_to_start_one_when_there_is_none():
    assert queuectl("worker", "list").err == "No worker is running. Start one: queuectl worker start\n"
    assert ok("worker", "list", "--json") == "[]\n"


def test_it_asks_all_to_stop():
    row = make_living()
    assert ok("worker", "stop", "--no-wait") == f"host1:{os.getpid()} (id {row.pk}) was asked to stop.\n"
    row.refresh_from_db()
    assert (row.stop_requested_at is not None, row.stop_grace_seconds) == (True, None)


def test_it_asks_the_others_to_stop_when_one_ends_at_that_moment(monkeypatch):
    ending, other = make_living(), make_living()
    request_stop = queue.request_stop

    def end_before(**options: Any) -> list[int]:
        Supervisor.objects.filter(pk=ending.pk).update(stopped_at=timezone.now())
        return request_stop(**options)

    monkeypatch.setattr("jobs.queue.request_stop", end_before)
    assert ok("worker", "stop", "--no-wait").splitlines() == [
        f"host1:{os.getpid()} (id {ending.pk}) has just ended.",
        f"host1:{os.getpid()} (id {other.pk}) was asked to stop.",
    ]
    other.refresh_from_db()
    assert other.stop_requested_at is not None


def test_it_asks_to_stop_at_once():
    row = make_living()
    ok("worker", "stop", str(row.pk), "--now", "--no-wait")
    row.refresh_from_db()
    assert row.stop_grace_seconds == 0


def test_it_waits_until_they_have_stopped(monkeypatch):
    row = make_living()
    stop = lambda _: Supervisor.objects.update(stopped_at=timezone.now())  # noqa: E731
    fake_time(monkeypatch, "jobs.cli.worker", sleep=stop)
    assert ok("worker", "stop").splitlines()[-1] == f"host1:{os.getpid()} (id {row.pk}) has stopped."


def test_it_says_so_when_one_is_dead_already():
    row = make_dead()
    assert ok("worker", "stop", str(row.pk)) == (
        f"host1:{os.getpid()} (id {row.pk}) is dead already; any running worker takes its jobs back.\n"
    )


def test_it_has_nothing_to_stop():
    done = queuectl("worker", "stop")
    assert (done.code, done.err) == (0, "No worker is running.\n")
    assert "there is no supervisor 7; see queuectl worker list --all" in refused("worker", "stop", "7", code=4)


def test_it_passes_on_what_start_was_told(monkeypatch):
    seen = []

    def run(options, *, announce):
        seen.append(options)
        announce("Worker (PID: 1) started. Watching for jobs...")
        return 7

    monkeypatch.setattr(supervisor, "run", run)
    words = "--count 3 --queue b --queue a --queue b --threads 2 --drain --max-jobs 9 --grace 1m --recycle-jobs 5"
    done = queuectl("worker", "start", *words.split(), "--recycle-mb", "100")
    assert (done.code, done.out) == (7, "Worker (PID: 1) started. Watching for jobs...\n")
    assert seen == [
        supervisor.Options(
            worker_count=3,
            thread_count=2,
            queues=("b", "a"),
            drain=True,
            max_jobs=9,
            grace_seconds=60.0,
            recycle_jobs=5,
            recycle_mb=100,
        )
    ]


def test_it_takes_the_grace_of_the_settings_by_default(monkeypatch, settings):
    settings.JOBS = {"GRACE_SECONDS": 4.0}
    seen = []

    def run(options: supervisor.Options, *, announce: Callable[[str], None]) -> int:
        seen.append(options.grace_seconds)
        return 0

    monkeypatch.setattr(supervisor, "run", run)
    ok("worker", "start")
    assert seen == [4.0]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["start", "--count", "0"], "--count: must be a whole number from 1 to 1000"),
        (["start", "--count", "many"], "--count: must be a whole number from 1 to 1000"),
        (["start", "--grace", "nan"], "--grace: must be a duration such as"),
        (["start", "--queue", ""], "--queue: must have 1 to 64 characters"),
        (["stop", "x"], "ID: must be a whole number"),
        (["strat"], "there is no verb 'strat'; did you mean start?"),
    ],
)
def test_it_refuses_what_is_wrong_and_names_it(words, problem):
    assert problem in refused("worker", *words)
