"""`doctor`: findings with remedies, and the reasons of one job."""

import json

import pytest

from jobs.models import Job
from jobs.states import State
from tests.cli.command import ok, queuectl, refused
from tests.cli.test_worker import make_living
from tests.factories import make_job

pytestmark = pytest.mark.django_db


def test_it_ends_with_1_when_it_finds_an_error():
    assert queuectl("doctor").code == 0
    make_job()
    done = queuectl("doctor")
    assert done.code == 1
    assert "error    queues      1 job waits" in done.out
    assert "try  queuectl worker start" in done.out


def test_it_gives_programs_its_findings():
    findings = json.loads(ok("doctor", "--json"))
    assert {"level", "check", "text", "remedy"} == set(findings[0])
    assert {"database", "migrations", "clock", "signatures"} <= {finding["check"] for finding in findings}


def test_it_looks_at_the_file_where_the_database_is_one(sqlite_site):
    findings = {finding["check"]: finding["level"] for finding in json.loads(sqlite_site.ok("doctor", "--json"))}
    assert findings["files"] == "ok"
    assert "disk" in findings


def test_it_says_that_signatures_do_not_match():
    ok("enqueue", "--id", "job1", "true")
    Job.objects.update(command="false")
    make_living()
    done = queuectl("doctor")
    assert done.code == 1
    assert "1 of the next 1 job will not run, for lack of a valid signature: job1" in done.out


def test_it_says_why_a_job_does_not_run():
    make_job()
    assert ok("doctor", "job1") == "job1: no worker is running.\n  try  queuectl worker start\n"
    (reason,) = json.loads(ok("doctor", "job1", "--json"))
    assert reason["code"] == "unserved"


def test_it_says_why_a_job_is_dead():
    make_job(state=State.DEAD, error="no route to host")
    assert "after 1 attempt: no route to host.\n  try  queuectl dlq retry job1\n" in ok("doctor", "job1")


def test_it_refuses_an_id_that_is_not_there():
    assert refused("doctor", "nope", code=4) == "queuectl: there is no job nope"
