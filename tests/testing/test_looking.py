"""Asking what was enqueued, and being told what was."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase
from django.utils import timezone

from jobs.testing import JobsMixin, assert_enqueued, assert_nothing_enqueued, drain, enqueued
from tests.testing import samples
from tests.testing.test_draining import enqueue_command

pytestmark = pytest.mark.django_db


def test_it_returns_what_was_enqueued_in_order():
    samples.add.enqueue(1)
    samples.write_letter.enqueue()
    samples.add.using(run_after=timezone.now() + timedelta(days=1)).enqueue(2)
    assert [job.task for job in enqueued()] == [
        "tests.tasks.samples.add",
        "tests.testing.samples.write_letter",
        "tests.tasks.samples.add",
    ]
    assert [job.args for job in enqueued(samples.add)] == [[1], [2]]
    assert [job.queue for job in enqueued(queue="letters")] == ["letters"]
    assert enqueued("tests.tasks.samples.fail") == []


def test_it_returns_what_has_run_since():
    samples.add.enqueue(1)
    drain()
    assert [job.state for job in enqueued(samples.add)] == ["completed"]


def test_it_takes_a_path_or_a_command_line_for_a_task():
    samples.add.enqueue(1)
    enqueue_command("echo hello")
    assert len(assert_enqueued("tests.tasks.samples.add")) == 1
    assert len(assert_enqueued("echo hello")) == 1


def test_it_compares_all_that_is_given():
    samples.add.enqueue((1, 2), b=3)
    (job,) = assert_enqueued(samples.add)
    assert job.args == [[1, 2]]
    assert_enqueued(samples.add, args=[[1, 2]])
    assert_enqueued(samples.add, args=((1, 2),), kwargs={"b": 3}, queue="default", count=1)
    differing: list[dict[str, Any]] = [{"args": []}, {"args": [1]}, {"kwargs": {}}, {"queue": "letters"}, {"count": 2}]
    for wrong in differing:
        with pytest.raises(AssertionError):
            assert_enqueued(samples.add, **wrong)


def test_no_arguments_are_told_from_any():
    samples.add.enqueue()
    assert_enqueued(samples.add, args=[], kwargs={}, count=1)
    assert_enqueued(samples.fail, count=0)


def test_it_shows_what_was_enqueued_instead():
    samples.add.enqueue(1, b="two")
    enqueue_command("echo hello", queue="letters")
    expected = (
        "tests.tasks.samples.add with args=[2], queue='default' was not enqueued.\n"
        "2 jobs were enqueued:\n"
        "  tests.tasks.samples.add(1, b='two'), queue='default', pending\n"
        "  echo hello, queue='letters', pending"
    )
    with pytest.raises(AssertionError, match=f"^{re.escape(expected)}"):
        assert_enqueued(samples.add, args=[2], queue="default")


def test_it_says_how_often_it_was_enqueued():
    samples.add.enqueue_many([[number] for number in range(30)])
    with pytest.raises(AssertionError, match=r"samples\.add was enqueued 30 times, not 2\.\n30 jobs.*") as raised:
        assert_enqueued(samples.add, count=2)
    assert "  … and 10 more" in str(raised.value)


def test_it_says_so_if_there_was_nothing():
    assert_nothing_enqueued()
    with pytest.raises(AssertionError, match=r"samples\.add was not enqueued\.\nNothing was enqueued\.$"):
        assert_enqueued(samples.add)


def test_it_names_what_waits_for_a_commit():
    transaction.on_commit(lambda: samples.add.enqueue(1))
    with pytest.raises(AssertionError, match=r"1 on_commit\(\) callbacks wait: run them by drain\(\)"):
        assert_enqueued(samples.add)


def test_it_fails_if_anything_was_enqueued():
    samples.write_letter.enqueue()
    assert_nothing_enqueued(queue="default")
    with pytest.raises(AssertionError, match=r"1 jobs were enqueued:\n  tests.testing.samples.write_letter"):
        assert_nothing_enqueued()


class TestMixin(JobsMixin, TestCase):
    def test_it_has_the_functions_as_methods(self):
        self.assertNothingEnqueued()
        samples.add.enqueue(1)
        self.assertEnqueued(samples.add, args=[1])
        assert len(self.drain()) == len(self.enqueued()) == 1
        samples.fail.enqueue()
        assert len(self.drain_past_failures()) == 1
