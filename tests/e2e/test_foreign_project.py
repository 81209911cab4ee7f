"""A project that includes the app in the documented way: its tasks run, and its workers follow its code."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from django.core.management import call_command

from tests.waiting import wait_until

SETTINGS = """
from jobs import sqlite_options

INSTALLED_APPS += ["shop", "jobs"]
TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend"}}
DATABASES["default"]["OPTIONS"] = sqlite_options.options()
"""
APPS = """
import threading
from django.apps import AppConfig
from django.db import connection

class ShopConfig(AppConfig):
    name = "shop"

    def ready(self):
        connection.ensure_connection()
        for _ in range({thread_count}):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
TASKS = """
from jobs.tasks import task

@task
def say():
    return "first"
"""


class Project:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.log = folder / "worker.log"
        call_command("startproject", "mysite", str(folder))
        (folder / "shop").mkdir()
        (folder / "shop" / "__init__.py").touch()
        with (folder / "mysite" / "settings.py").open("a") as settings:
            settings.write(SETTINGS)
        self.write("shop/tasks.py", TASKS)
        self.manage("migrate")

    def write(self, path: str, text: str) -> None:
        (self._folder / path).write_text(text)

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(self._command(arguments), env=_environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen(self._command(arguments), env=_environment(), stdout=log, stderr=log)

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, str(self._folder / "manage.py"), *arguments]


def _environment() -> dict[str, str]:
    """Return that of somebody who never heard of this checkout's own site."""
    ours = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "QUEUECTL_HOME"}
    return {name: value for name, value in os.environ.items() if name not in ours}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_its_checks_find_nothing(project: Project) -> None:
    assert "System check identified no issues" in project.manage("check", "--fail-level", "WARNING")


def test_its_workers_start_over_when_its_code_changes(project: Project) -> None:
    worker = project.start("queuectl", "worker", "start")
    try:
        project.manage("queuectl", "enqueue", "--task", "shop.tasks.say", "--id", "a")
        project.manage("queuectl", "wait", "a", "--timeout", "20s")

        project.write("shop/other.py", "def half_written(")
        wait_until(lambda: "not starting over" in project.log.read_text(), timeout_seconds=20)
        project.write("shop/other.py", "")
        project.write("shop/tasks.py", TASKS.replace("first", "second"))
        wait_until(lambda: project.log.read_text().count("started. Watching for jobs") == 2, timeout_seconds=20)

        project.manage("queuectl", "enqueue", "--task", "shop.tasks.say", "--id", "b")
        project.manage("queuectl", "wait", "b", "--timeout", "20s")
        assert worker.poll() is None
        assert len(psutil.Process(worker.pid).children()) == 1  # nothing is left of the first start
    finally:
        worker.terminate()
    assert worker.wait(20) == 0
    assert '"first"' in project.manage("queuectl", "show", "a")
    assert '"second"' in project.manage("queuectl", "show", "b")


@pytest.mark.parametrize("thread_count", [0, 1])
def test_its_apps_may_query_and_start_threads_when_they_load(project: Project, thread_count: int) -> None:
    project.write("shop/apps.py", APPS.format(thread_count=thread_count))
    project.manage("queuectl", "enqueue", "--task", "shop.tasks.say", "--id", "a")

    worker = project.start("queuectl", "worker", "start", "--count", "2", "--drain")

    assert worker.wait(30) == 0
    assert '"first"' in project.manage("queuectl", "show", "a")
