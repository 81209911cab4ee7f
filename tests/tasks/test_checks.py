"""What `manage.py check` says of an entry in TASKS."""

from typing import Any

import pytest
from django.apps import apps
from django.core import checks

from jobs.checks import check_ignored_tasks

pytestmark = pytest.mark.django_db  # other checks ask the database


def _found(settings, **entry: Any) -> list[checks.CheckMessage]:
    settings.TASKS = {"letters": {"BACKEND": "jobs.backend.JobsBackend"} | entry}
    return [message for message in checks.run_checks() if (message.id or "") in ("jobs.E006", "jobs.E007", "jobs.E008")]


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"QUEUES": []},
        {"QUEUES": ["default", "letters"]},
        {"OPTIONS": {}},
        {"OPTIONS": {"max_retries": 0, "backoff_base": 1.5, "backoff_max": "10m", "timeout": 30}},
    ],
)
def test_it_finds_nothing_wrong_with_a_sound_entry(settings, entry: dict[str, Any]):
    assert _found(settings, **entry) == []


def test_it_misses_the_app(settings, monkeypatch):
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "jobs")

    (message,) = _found(settings)

    assert (message.id, message.msg) == (
        "jobs.E006",
        "TASKS['letters'] keeps its tasks in the queue, which is not installed.",
    )
    assert "INSTALLED_APPS" in str(message.hint)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_retires": 3}, "max_retires: is not an option"),
        ({"max_retries": -1}, "max_retries: must be from 0"),
        ({"max_retries": "many"}, "max_retries: must be a number"),
        ({"max_retries": None}, "max_retries: must be a number"),
        ({"backoff_base": float("nan")}, "backoff_base: must be from"),
        ({"timeout": "soon"}, "timeout: must be a duration"),
        ({"jitter": 0.5}, "jitter: is not an option"),
        ({5: 5}, "5: is not an option"),
        (None, "is no dictionary"),
        (["max_retries"], "is no dictionary"),
    ],
)
def test_it_names_what_is_wrong_with_the_options(settings, options: Any, words: str):
    (message,) = _found(settings, OPTIONS=options)

    assert message.id == "jobs.E007"
    assert str(message.msg).startswith(f"TASKS['letters']['OPTIONS'] {words}")
    assert message.hint


@pytest.mark.parametrize(
    ("queues", "words"),
    [
        (["*"], "has '*'"),
        (["two words"], "has 'two words'"),
        ([""], "has ''"),
        ([5], "has 5"),
        ("default", "is a text"),
    ],
)
def test_it_names_what_is_wrong_with_the_queues(settings, queues: Any, words: str):
    (message,) = _found(settings, QUEUES=queues)

    assert message.id == "jobs.E008"
    assert str(message.msg).startswith(f"TASKS['letters']['QUEUES'] {words}")
    assert message.hint


def test_it_warns_of_tasks_that_nothing_reads(settings, monkeypatch):
    assert check_ignored_tasks(app_configs=None) == []
    monkeypatch.setattr("jobs.checks.find_spec", lambda _: None)
    settings.TASKS = {"letters": {"BACKEND": "jobs.backend.JobsBackend"}, "other": {"BACKEND": "elsewhere.Backend"}}

    (message,) = check_ignored_tasks(app_configs=None)

    assert (message.id, message.msg) == (
        "jobs.W006",
        "TASKS['letters'] is ignored: this Django has no tasks, and their backport is not installed.",
    )
    assert "django-queuectl[tasks]" in str(message.hint)
