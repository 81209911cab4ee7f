"""The flags of the backend, and the tasks that it refuses."""

import datetime as dt
from typing import Any

import pytest

from jobs.backend import JobsBackend
from jobs.tasks import api, task
from tests.tasks import samples


def plain() -> None:
    pass


def without_context() -> None:
    pass


def test_it_says_that_it_does_everything():
    backend = samples.add.get_backend()

    assert isinstance(backend, JobsBackend)
    assert backend.supports_defer
    assert backend.supports_async_task
    assert backend.supports_get_result
    assert backend.supports_priority


def test_it_refuses_a_function_that_a_worker_cannot_import():
    def inner() -> None:
        pass

    with pytest.raises(api.InvalidTask, match="module level"):
        task(inner)
    with pytest.raises(api.InvalidTask, match="module level"):
        task(lambda: None)


def test_it_refuses_a_task_that_takes_a_context_and_has_no_argument_of_that_name():
    with pytest.raises(api.InvalidTask, match="context"):
        task(takes_context=True)(without_context)


@pytest.mark.parametrize("priority", [-101, 101, 1.5])
def test_it_refuses_a_priority_out_of_bounds(priority: float):
    with pytest.raises(api.InvalidTask, match="priority"):
        samples.add.using(priority=priority)


@pytest.mark.parametrize("priority", [-100, 0, 100])
def test_it_takes_a_priority_within_bounds(priority: int):
    assert samples.add.using(priority=priority).priority == priority


def test_it_refuses_a_time_without_a_zone(settings):
    settings.USE_TZ = True

    with pytest.raises(api.InvalidTask, match="aware"):
        samples.add.using(run_after=dt.datetime(2100, 1, 1))  # noqa: DTZ001 - it is what is refused


def test_it_refuses_a_queue_that_the_setting_does_not_name(settings):
    settings.TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": ["letters"]}}

    with pytest.raises(api.InvalidTask, match="'default' is not valid"):
        task(plain)
    assert task(queue_name="letters")(plain).queue_name == "letters"


def test_it_has_one_queue_where_the_setting_names_none(settings):
    settings.TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend"}}

    assert task(plain).queue_name == "default"
    with pytest.raises(api.InvalidTask, match="'letters' is not valid"):
        task(queue_name="letters")(plain)


def test_it_has_any_queue_where_the_setting_names_an_empty_list(settings):
    settings.TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": []}}

    assert task(queue_name="whatever")(plain).queue_name == "whatever"


@pytest.mark.parametrize("name", ["*", "", "two words", "x" * 65, "-x"])
def test_it_refuses_a_name_that_no_queue_can_have(name: str):
    with pytest.raises(api.InvalidTask, match="queue"):
        samples.add.using(queue_name=name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_retries": -1},
        {"max_retries": 1.5},
        {"max_retries": True},
        {"backoff_base": float("nan")},
        {"backoff_base": -1},
        {"backoff_max": float("inf")},
        {"timeout": -1},
        {"timeout": "soon"},
        {"retry": 5},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_it_refuses_retry_settings_out_of_bounds(wrong: dict[str, Any]):
    with pytest.raises(api.InvalidTask, match=min(wrong)):
        task(**wrong)(plain)


def test_it_refuses_settings_that_it_does_not_have():
    with pytest.raises(TypeError, match="max_attempts"):
        task(max_attempts=3)(plain)
