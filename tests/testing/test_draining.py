"""What a drain runs, and in which order; it is what workers would do."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import TestCase, TransactionTestCase
from django.utils import timezone

from jobs import clock, new_job, queue
from jobs.models import Attempt, Job, Supervisor
from jobs.states import Ending, State
from jobs.tasks import api
from jobs.testing import TooManyAttempts, drain, drain_past_failures
from tests.testing import samples
from tests.testing.samples import enqueue_itself, make_group, succeed_at_third


def enqueue_command(command, **fields):
    now = clock.now()
    return queue.enqueue(new_job.from_fields({"command": command} | fields, now=now), now=now)


class Drain:
    """The same within a test's transaction and without one."""

    def test_it_runs_what_is_due_and_returns_each_attempt(self):
        samples.add.enqueue(1, b=2)
        samples.add_async.enqueue(3, b=4)
        first, second = drain()
        assert (first.what, first.args, first.kwargs) == ("tests.tasks.samples.add", [1], {"b": 2})
        assert (first.return_value, second.return_value) == (3, 7)
        assert first.state == "completed"
        assert str(first) == "tests.tasks.samples.add(1, b=2) completed"
        assert drain() == []

    def test_it_gives_results_as_production_does(self):
        result = samples.add.enqueue(1)
        drain()
        result.refresh()
        assert result.status == api.TaskResultStatus.SUCCESSFUL
        assert result.return_value == 1
        assert result.attempts == 1
        times: list[Any] = [result.enqueued_at, result.started_at, result.finished_at, clock.now()]
        assert times == sorted(times)

    def test_it_records_jobs_and_attempts_under_a_supervisor_that_has_stopped(self):
        result = samples.report.enqueue()
        (ran,) = drain()
        job = Job.objects.get(pk=result.id)
        attempt = Attempt.objects.get()
        assert (job.state, job.attempts, job.supervisor) == (State.COMPLETED, 1, None)
        assert (attempt.outcome, attempt.progress) == (Ending.COMPLETED, 0.4)
        assert "printed é" in attempt.output
        assert ran.output == attempt.output
        assert Supervisor.objects.get().stopped_at is not None

    def test_it_runs_what_jobs_enqueue(self):
        samples.enqueue_another.enqueue(2)
        assert [ran.args for ran in drain()] == [[2], [1], [0]]

    def test_it_runs_the_most_urgent_first(self):
        for priority in (-5, 5, 0):
            samples.add.using(priority=priority).enqueue(priority)
        assert [ran.return_value for ran in drain()] == [5, 0, -5]

    def test_it_runs_the_jobs_of_one_queue_alone(self):
        samples.add.enqueue(1)
        samples.write_letter.enqueue()
        assert [ran.queue for ran in drain(queue="letters")] == ["letters"]
        assert [ran.queue for ran in drain()] == ["default"]

    def test_it_leaves_the_jobs_of_a_paused_queue(self):
        queue.pause("letters", now=clock.now(), by="tests")
        samples.write_letter.enqueue()
        assert drain(ahead=timedelta(days=1)) == []

    def test_it_leaves_what_is_deferred(self):
        samples.add.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(1)
        samples.run_later.enqueue(60)
        assert [ran.what for ran in drain()] == ["tests.tasks.samples.run_later"]
        assert {job.state for job in Job.objects.all()} == {State.SCHEDULED, State.FAILED}

    def test_it_runs_ahead_in_the_order_in_which_jobs_are_due(self):
        for hours in (3, 1, 30, 2):
            priority = hours  # counts among those only that are due together
            samples.add.using(run_after=timezone.now() + timedelta(hours=hours), priority=priority).enqueue(hours)
        assert [ran.return_value for ran in drain(ahead=timedelta(days=1))] == [1, 2, 3]
        assert [ran.return_value for ran in drain(ahead=timedelta.max)] == [30]

    def test_it_runs_retries_ahead(self):
        succeed_at_third.enqueue()
        attempts = drain_past_failures(ahead=timedelta(hours=2))
        assert [ran.state for ran in attempts] == ["failed", "failed", "completed"]
        assert [ran.attempt for ran in attempts] == [1, 2, 3]
        assert attempts[-1].return_value == 3

    def test_it_leaves_the_retries_that_are_due_later(self):
        succeed_at_third.enqueue()
        assert len(drain_past_failures(ahead=timedelta(minutes=10))) == 2  # after 60 s; the third an hour later

    def test_it_ends_a_job_that_always_asks_to_be_run_later(self):
        samples.run_later.enqueue(60)
        attempts = drain_past_failures(ahead=timedelta(hours=1))
        assert attempts[-1].state == State.DEAD
        assert len(attempts) == 24

    def test_it_ends_where_a_task_enqueues_itself_for_ever(self):
        enqueue_itself.enqueue()
        with pytest.raises(TooManyAttempts, match=r"7 attempts were run.*enqueue_itself completed"):
            drain(limit=7)
        assert Job.objects.filter(state=State.COMPLETED).count() == 7

    def test_it_may_run_as_many_as_its_limit(self):
        samples.add.enqueue_many([[1], [2]])
        assert len(drain(limit=2)) == 2

    def test_it_commits_nothing_that_the_test_does_not(self):
        make_group.enqueue("editors")
        drain()
        assert Group.objects.get().name == "editors"

    def test_it_runs_commands(self):
        enqueue_command("echo $QUEUECTL_ATTEMPT of $QUEUECTL_JOB_ID", id="greet")
        (ran,) = drain()
        assert (ran.what, ran.output, ran.exit_code) == (
            "echo $QUEUECTL_ATTEMPT of $QUEUECTL_JOB_ID",
            "1 of greet\n",
            0,
        )
        assert Job.objects.get().state == State.COMPLETED

    def test_it_refuses_a_command_that_was_changed(self):
        enqueue_command("true")
        Job.objects.update(command="false")
        (ran,) = drain_past_failures()
        assert (ran.state, ran.error) == ("dead", "signature mismatch: the row was changed behind the queue's back")


class TestInATransaction(Drain, TestCase):
    pass


class TestWithoutATransaction(Drain, TransactionTestCase):
    pass


class TestInCoroutines(TestCase):
    async def test_it_is_called_through_sync_to_async(self):
        from asgiref.sync import sync_to_async

        await samples.add_async.aenqueue(1)
        (ran,) = await sync_to_async(drain)()
        assert ran.return_value == 1
