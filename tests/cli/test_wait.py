"""`wait`: the verdict of jobs as an exit code."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from jobs.cli import obstacles
from jobs.models import Config, Job
from jobs.states import State
from tests.cli.command import ok, queuectl, refused
from tests.clock import NOW
from tests.factories import make_job, make_jobs
from tests.faked_time import fake_time

pytestmark = pytest.mark.django_db


def test_it_ends_with_0_when_all_have_completed():
    make_jobs({"id": name, "state": State.COMPLETED} for name in "ab")
    assert ok("wait", "a", "b", "a") == "a completed.\nb completed.\n"


@pytest.mark.parametrize("state", [State.DEAD, State.CANCELLED])
def test_it_ends_with_10_when_one_did_not(state):
    make_jobs([{"id": "a", "state": State.COMPLETED}, {"id": "b", "state": state}])
    done = queuectl("wait", "a", "b")
    assert (done.code, len(done.out.splitlines())) == (10, 2)


def test_it_ends_with_124_when_the_time_is_over():
    make_jobs([{"id": "a", "state": State.COMPLETED}, {"id": "b"}])
    done = queuectl("wait", "a", "b", "--timeout", "0")
    assert (done.code, done.out, done.err) == (124, "a completed.\n", "b is still pending.\n")


def test_it_waits_until_a_job_is_finished(monkeypatch):
    make_job()
    finish = lambda _: Job.objects.update(state=State.COMPLETED, finished_at=timezone.now())  # noqa: E731
    fake_time(monkeypatch, "jobs.cli.wait", sleep=finish)
    assert ok("wait", "job1", "--timeout", "1h") == "job1 completed.\n"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "no worker is running (queuectl worker start)"),
        ({"queue": "mail"}, "queue mail is paused since 2026-01-02 03:04:05 UTC (queuectl queue resume mail)"),
        (
            {"state": State.SCHEDULED, "run_at": datetime(2126, 1, 2, tzinfo=UTC)},
            "it is scheduled for 2126-01-02 00:00:00 UTC (in ",
        ),
        (
            {"state": State.PROCESSING},
            "its supervisor host1:4000 is gone; a running one takes the job back (queuectl worker start)",
        ),
    ],
)
def test_it_says_once_why_a_job_waits(monkeypatch, fields, reason):
    Config.objects.create(queue="mail", paused_at=NOW)
    make_job(**fields)
    make_job(id="job2")
    cancelled = {"state": State.CANCELLED, "finished_at": timezone.now(), "supervisor": None}
    steps = iter((lambda: None, lambda: Job.objects.update(**cancelled)))
    fake_time(monkeypatch, "jobs.cli.wait", sleep=lambda _: next(steps)())
    monkeypatch.setattr(obstacles, "LOOK_SECONDS", 0.0)
    done = queuectl("wait", "job1", "job2")
    assert (done.code, done.err.count("\n")) == (10, 1)
    assert done.err.startswith(f"job1 waits: {reason}")


def test_it_takes_a_job_that_was_deleted_meanwhile_for_one_that_did_not_complete(monkeypatch):
    make_job()
    fake_time(monkeypatch, "jobs.cli.wait", sleep=lambda _: Job.objects.all().delete())
    assert queuectl("wait", "job1").code == 10


def test_it_prints_the_jobs_for_programs():
    make_jobs([{"id": "a", "state": State.DEAD}, {"id": "b"}])
    done = queuectl("wait", "a", "b", "--timeout", "0", "--json")
    assert done.code == 124
    assert [(job["id"], job["state"]) for job in done.json] == [("a", "dead"), ("b", "pending")]


def test_it_refuses_an_unknown_job_before_it_waits():
    make_job()
    assert refused("wait", "job1", "nope", code=4) == "queuectl: there is no job nope"
