"""`retry`, `run-now`, `cancel`, `delete`: exit codes that scripts can trust, and sentences for people."""

import pytest

from jobs.models import Job
from jobs.states import State
from tests.cli.command import ok, queuectl, refused
from tests.cli.test_worker import make_living
from tests.clock import NOW
from tests.factories import make_job

pytestmark = pytest.mark.django_db


def state(id_: str = "job1") -> str:
    return Job.objects.get(pk=id_).state


@pytest.mark.parametrize("before", [State.COMPLETED, State.DEAD, State.CANCELLED])
def test_it_retries_finished_jobs(before):
    make_job(state=before)
    assert ok("retry", "job1") == "job1 is pending again. Follow it: queuectl logs job1 --follow\n"
    assert state() == State.PENDING


@pytest.mark.parametrize("before", [State.SCHEDULED, State.FAILED])
def test_it_runs_now_what_waits_for_its_time(before):
    make_job(state=before)
    assert ok("run-now", "job1") == "job1 is due now. Follow it: queuectl logs job1 --follow\n"
    assert state() == State.PENDING


def test_it_does_not_run_now_what_is_finished_or_due():
    make_job(state=State.DEAD)
    make_job(id="job2")
    message = refused("run-now", "job1", code=5)
    assert message == "queuectl: job1 is dead; only scheduled and failed jobs wait for their time"
    assert queuectl("run-now", "job2").code == 5


def test_it_cancels_a_waiting_job():
    make_job()
    assert ok("cancel", "job1") == "job1 is cancelled. Run it after all: queuectl retry job1\n"
    assert state() == State.CANCELLED


def test_it_asks_a_running_job_to_stop():
    make_job(state=State.PROCESSING, supervisor=make_living())
    assert ok("cancel", "job1") == "job1 runs, and was asked to stop. Wait for it: queuectl wait job1\n"
    assert Job.objects.get().cancel_requested_at is not None


@pytest.mark.parametrize("fields", [{"lost_at": NOW}, {"stopped_at": NOW}])
def test_it_says_that_nobody_is_there_to_stop_a_job(fields):
    make_job(state=State.PROCESSING, supervisor=make_living(**fields))
    assert ok("cancel", "job1") == (
        "job1 is cancelled when a worker runs; its supervisor is gone. Start one: queuectl worker start\n"
    )
    assert Job.objects.get().cancel_requested_at is not None


def test_it_deletes_finished_jobs_without_asking_where_nobody_can_answer():
    make_job(state=State.COMPLETED)
    assert ok("delete", "job1") == "job1 is deleted.\n"
    assert not Job.objects.exists()


def test_it_refuses_the_wrong_state_with_code_5():
    make_job()
    message = refused("retry", "job1", code=5)
    assert message == "queuectl: job1 is pending; only completed, dead and cancelled jobs can be run again"
    assert "queuectl cancel job1 stops it first" in refused("delete", "job1", code=5)


def test_it_refuses_an_unknown_job_with_code_4():
    assert refused("cancel", "nope", code=4) == "queuectl: there is no job nope"


def test_it_ends_with_code_6_when_only_some_were_done():
    make_job(state=State.DEAD)
    done = queuectl("retry", "job1", "nope", "job1")
    assert done.code == 6
    assert done.out == "job1 is pending again. Follow it: queuectl logs job1 --follow\n"
    assert done.err == "queuectl: there is no job nope\n"


def test_it_quotes_ids_so_that_they_can_be_pasted():
    make_job(id="a;b", state=State.DEAD)
    assert "queuectl logs 'a;b' --follow" in ok("retry", "a;b")


def test_it_needs_an_id():
    assert refused("retry").startswith("queuectl retry: the following arguments are required: JOB")
