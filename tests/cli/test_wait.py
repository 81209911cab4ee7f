"""`wait`: the verdict of jobs as an exit code."""

import pytest
from django.utils import timezone

from jobs.models import Job
from jobs.states import State
from tests.cli.command import ok, queuectl, refused
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
