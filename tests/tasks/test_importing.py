"""The backend where Django is not ready yet, and tasks that travel to another process."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import django
import pytest
from django.core import checks

from tests.tasks import samples

CHECKOUT = Path(__file__).resolve().parents[2]

UNREADY = """
from django.apps import apps
from django.conf import settings
settings.configure(TASKS={"default": {"BACKEND": "jobs.backend.JobsBackend"}}, INSTALLED_APPS=["jobs"])
from jobs.backend import JobsBackend
JobsBackend(alias="default", params={})
import jobs.tasks

@jobs.tasks.task(max_retries=3)
def send(context=None):
    pass

assert isinstance(send.get_backend(), JobsBackend)
assert not apps.ready
"""
CHECKED = """
import django
from django.conf import settings
settings.configure(
    TASKS={"default": {"BACKEND": "jobs.backend.JobsBackend", "OPTIONS": {"max_retries": -1}}},
    INSTALLED_APPS=["jobs"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "check"])
"""


def _python(script: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_imported_and_made_before_the_app_registry_is_ready():
    done = _python(UNREADY)

    assert (done.returncode, done.stderr) == (0, "")


def test_its_checks_run_though_nobody_imports_the_api():
    done = _python(CHECKED)

    assert done.returncode == 1
    assert "(jobs.E007) TASKS['default']['OPTIONS'] max_retries" in done.stderr
    assert "HINT:" in done.stderr


def test_its_checks_run_once():
    registered = [
        check for check in checks.registry.registry.registered_checks if getattr(check, "__name__", "") == "check_tasks"
    ]

    assert len(registered) == 1


def test_a_task_is_pickled_where_django_pickles_its_own():
    if django.VERSION >= (6, 1):
        tasks = [samples.add, samples.with_settings, samples.with_policy, samples.add.using(max_retries=9, priority=5)]
        assert [pickle.loads(pickle.dumps(task)) for task in tasks] == tasks  # noqa: S301 - made here
    else:
        with pytest.raises(pickle.PicklingError):
            pickle.dumps(samples.add)
