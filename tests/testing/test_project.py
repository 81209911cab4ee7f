"""A project as docs/how-to/test.md has it: what the page says passes, by Django's runner and with pytest's plugin."""

import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import documents

PAGE = documents.ROOT / "docs/how-to/test.md"
SETTINGS = """
from tests.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "shop"]
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
database = DATABASES["default"]
is_sqlite = database["ENGINE"].endswith("sqlite3")
database["TEST"] = {"NAME": None if is_sqlite else f"test_%s"}
"""


class Project:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        name = f"{folder.name}_{os.getpid()}"
        self.write("settings.py", SETTINGS % name)
        self.write("shop/__init__.py", "")

    def write(self, path: str, text: str) -> None:
        file = self._folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        ours = {"PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "QUEUECTL_TEST_HOME"}
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        paths = {"PYTHONPATH": f"{self._folder}{os.pathsep}{documents.ROOT}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self._folder,
            env=inherited | paths | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )

    def pytest(self, *words: str) -> subprocess.CompletedProcess[str]:
        plugins = ("-p", "pytest_django.plugin", "-p", "jobs.pytest_plugin", "-p", "no:cacheprovider")
        return self.run("pytest", *plugins, *words, DJANGO_SETTINGS_MODULE="settings")


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def documented(project):
    """The files of the page, each named by the first line of its block."""
    found = [block["body"] for block in documents.FENCE.finditer(PAGE.read_text()) if block["language"] == "python"]
    for text in found:
        path = text.partition("\n")[0].removeprefix("# ")
        project.write(path, text if find_spec("django.tasks") else text.replace("django.tasks", "django_tasks"))
    assert len(found) == 4
    return project


def test_what_the_page_says_passes_by_django_s_runner(documented):
    done = documented.run("django", "test", "--noinput", DJANGO_SETTINGS_MODULE="settings")
    assert done.returncode == 0, done.stdout
    assert "Ran 6 tests" in done.stdout


def test_what_the_page_says_passes_with_pytest(documented):
    done = documented.pytest("shop/tests.py", "shop/test_receipts.py", "shop/test_backends.py", "-W", "error")
    assert done.returncode == 0, done.stdout
    assert "7 passed" in done.stdout


def test_a_failing_task_is_shown_with_its_own_lines(documented):
    documented.write(
        "shop/test_failing.py",
        "from shop.tasks import send_receipt\n\n"
        "def test_it(queuectl):\n    send_receipt.enqueue(7, address='ann')\n    queuectl.drain()\n",
    )
    done = documented.pytest("shop/test_failing.py")
    assert done.returncode == 1, done.stdout
    shown, _, _ = done.stdout.partition("- Captured ")
    assert '>           raise NeverRetry(f"{address} is no address")' in shown
    assert "jobs/runners" not in shown


def test_the_fixture_goes_with_transactional_db(documented):
    documented.write(
        "shop/test_committed.py",
        "from django.db import connection\nfrom shop.tasks import send_receipt\n\n"
        "def test_it(queuectl, transactional_db):\n    assert not connection.in_atomic_block\n"
        "    send_receipt.enqueue(7, address='ann@example.com')\n    assert len(queuectl.drain()) == 1\n",
    )
    done = documented.pytest("shop/test_committed.py")
    assert done.returncode == 0, done.stdout


def test_the_plugin_asks_nothing_of_projects_without_django(project):
    project.write(
        "test_plain.py",
        "import sys\n\ndef test_it():\n    assert not [name for name in sys.modules if name.startswith('django')]\n",
    )
    done = project.run("pytest", "-p", "jobs.pytest_plugin", "-p", "no:cacheprovider", "-W", "error", "test_plain.py")
    assert done.returncode == 0, done.stdout


def test_pytest_finds_the_plugin_by_its_entry_point():
    project = tomllib.loads((documents.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # The name is that of the module: otherwise `-p jobs.pytest_plugin` beside it would be refused as a second plugin.
    assert project["entry-points"]["pytest11"] == {"jobs.pytest_plugin": "jobs.pytest_plugin"}
