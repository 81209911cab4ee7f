"""A job of a task that is asked for from outside Python: by a path and loose values."""

from typing import Any

import pytest

from jobs.errors import InvalidInput
from jobs.states import Kind
from jobs.tasks import requests
from tests.clock import NOW, after

ADD = "tests.tasks.samples.add"


def _asked(task: str = ADD, **fields: Any):
    return requests.new_job_of({"task": task} | fields, now=NOW)


def test_it_takes_arguments():
    new = _asked(args=[1], kwargs={"b": 2})

    assert (new.kind, new.task, new.args, new.kwargs, new.backend) == (Kind.TASK, ADD, [1], {"b": 2}, "default")


def test_it_takes_what_is_left_open_from_the_task():
    new = _asked("tests.tasks.samples.with_settings")

    assert (new.queue, new.priority) == ("letters", 7)
    assert (new.max_retries, new.backoff_base, new.backoff_max_seconds, new.timeout_seconds) == (5, 3, 600, 30)


def test_it_takes_what_was_asked_for_before_what_the_task_has():
    new = _asked("tests.tasks.samples.with_settings", queue="other", priority=-1, max_retries=0, timeout="5s", id="j1")

    assert (new.queue, new.priority, new.max_retries, new.timeout_seconds, new.id) == ("other", -1, 0, 5, "j1")


def test_it_takes_the_options_of_the_backend_for_the_rest(settings):
    options = {"max_retries": 8, "timeout": 60}
    settings.TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": [], "OPTIONS": options}}

    new = _asked(args=[1], timeout=7)

    assert (new.max_retries, new.timeout_seconds) == (8, 7)


def test_it_refuses_a_queue_that_the_backend_has_not(settings):
    settings.TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": ["default", "mail"]}}

    assert _asked(args=[1], queue="mail").queue == "mail"
    with pytest.raises(InvalidInput, match="must be one of default, mail, the QUEUES of its backend in TASKS"):
        _asked(args=[1], queue="other")


def test_it_takes_a_delay_or_a_time():
    assert _asked(args=[1], delay="1h").run_at == after(seconds=3_600)
    assert _asked(args=[1], run_at="2026-12-31T00:00:00Z").run_at is not None
    assert _asked(args=[1]).run_at is None


def test_it_does_not_count_the_context_as_an_argument():
    assert _asked("tests.tasks.samples.wait_for_file", args=["a"]).args == ["a"]
    with pytest.raises(InvalidInput, match="do not fit wait_for_file"):
        _asked("tests.tasks.samples.wait_for_file", args=[1, 2])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("gone.tasks.send", "ModuleNotFoundError"),
        ("tests.tasks.samples.gone", "ImportError"),
        ("tests.tasks.samples.not_a_task", "not a task"),
        ("os.system", "not a task"),
        ("tests.tasks.broken_module.task", "RuntimeError: this module is broken"),
        ("single", "dotted path"),
        ("", "dotted path"),
    ],
)
def test_it_refuses_a_path_that_leads_to_no_task(path: str, words: str):
    with pytest.raises(InvalidInput, match=words) as refusal:
        _asked(path)

    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("wrong", [{"args": [1, 2, 3]}, {"args": [1], "kwargs": {"a": 2}}, {"kwargs": {"c": 1}}, {}])
def test_it_refuses_arguments_that_do_not_fit(wrong: dict[str, Any]):
    with pytest.raises(InvalidInput, match="do not fit add"):
        _asked(**wrong)


def test_its_refusal_repeats_no_default_that_may_be_secret():
    with pytest.raises(InvalidInput, match="do not fit sync") as refusal:
        _asked("tests.tasks.samples.sync")

    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("wrong", [{"command": "true"}, {"cwd": "/"}, {"nonsense": 1}, {"args": 5}, {"kwargs": []}])
def test_it_refuses_what_does_not_go_with_a_task(wrong: dict[str, Any]):
    with pytest.raises(InvalidInput):
        _asked(**wrong)
