"""Within a TestCase nothing is ever committed; jobs are run as if it were."""

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, transaction
from django.test import TestCase

from jobs.states import State
from jobs.testing import drain, drain_past_failures
from tests.testing.samples import add, break_and_go_on, break_transaction, enqueue_on_commit, undo_a_part


class TestCommit(TestCase):
    def test_it_runs_what_waits_for_a_commit_before_the_first_job(self):
        transaction.on_commit(lambda: add.enqueue(1))
        assert [ran.return_value for ran in drain()] == [1]

    def test_it_runs_what_jobs_leave_waiting(self):
        enqueue_on_commit.enqueue(2)
        assert [ran.args for ran in drain()] == [[2], [2], [1], [1]]

    def test_it_runs_each_callback_once(self):
        calls = []
        transaction.on_commit(lambda: calls.append(1))
        drain()
        drain()
        assert calls == [1]

    def test_it_runs_what_a_callback_leaves_waiting(self):
        transaction.on_commit(lambda: transaction.on_commit(lambda: add.enqueue(1)))
        assert len(drain()) == 1

    def test_it_works_within_django_s_own_way(self):
        with self.captureOnCommitCallbacks(execute=True):
            transaction.on_commit(lambda: add.enqueue(1))
            assert len(drain()) == 1
            transaction.on_commit(lambda: add.enqueue(2))
        assert [ran.return_value for ran in drain()] == [2]

    def test_it_leaves_what_the_test_has_captured(self):
        with self.captureOnCommitCallbacks(execute=True):
            transaction.on_commit(lambda: add.enqueue(1))
        with self.captureOnCommitCallbacks() as callbacks:
            transaction.on_commit(lambda: add.enqueue(2))
        assert [ran.return_value for ran in drain()] == [1]
        callbacks[0]()
        transaction.on_commit(lambda: add.enqueue(3))
        assert [ran.return_value for ran in drain()] == [2, 3]

    def test_it_leaves_nested_captures_as_they_are(self):
        calls = []
        with self.captureOnCommitCallbacks() as outer:
            with self.captureOnCommitCallbacks(execute=True) as inner:
                transaction.on_commit(lambda: calls.append(1))
            drain()
        assert outer == inner
        assert calls == [1]

    def test_it_does_not_run_what_was_rolled_back(self):
        undo_a_part.enqueue()
        assert [ran.return_value for ran in drain()] == ["undone"]

    def test_it_raises_what_a_callback_raises(self):
        transaction.on_commit(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            drain()

    def test_it_logs_what_a_robust_callback_raises(self):
        transaction.on_commit(lambda: 1 / 0, robust=True)
        add.enqueue(1)
        with self.assertLogs("jobs.testing", "ERROR"):
            assert len(drain()) == 1


class TestBrokenStatements(TestCase):
    def test_it_goes_on_after_a_job_that_broke_the_transaction(self):
        Group.objects.create(name="before")
        result = break_transaction.enqueue("editors")
        add.enqueue(1)
        assert [ran.state for ran in drain_past_failures()] == [State.DEAD, State.COMPLETED]
        result.refresh()
        assert issubclass(result.errors[0].exception_class, DatabaseError)
        assert [group.name for group in Group.objects.all()] == ["before"]

    def test_it_raises_what_the_job_raised_and_not_what_followed(self):
        break_transaction.enqueue("editors")
        with pytest.raises(DatabaseError, match=r"(?i)unique|duplicate"):
            drain()
        assert not Group.objects.exists()

    def test_it_goes_on_after_a_job_that_did_not_notice(self):
        break_and_go_on.enqueue("editors")
        (ran,) = drain()
        assert (ran.state, ran.return_value.endswith("Error")) == (State.COMPLETED, True)
        assert not Group.objects.exists()
