"""The site's settings: read from the environment, and refused in one line that names the variable."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from queuectl_site import settings

ROOT = Path(__file__).resolve().parents[2]


class Site:
    """The settings as a new process would read them from a given environment."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"

    def run(self, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "QUEUECTL_HOME": str(self.home)} | variables
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def read(self, name: str, **variables: str) -> object:
        code = f"import json; from queuectl_site import settings; print(json.dumps(settings.{name}, default=str))"
        result = self.run(code, **variables)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def refusal(self, **variables: str) -> str:
        code = """
from django.core.exceptions import ImproperlyConfigured
try:
    import queuectl_site.settings
except ImproperlyConfigured as error:
    print(error)
"""
        result = self.run(code, **variables)
        assert result.returncode == 0, result.stderr
        return result.stdout


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_it_is_closed_by_default(site):
    assert site.read("DEBUG") is False
    assert site.read("ALLOWED_HOSTS") == ["localhost", "127.0.0.1", "[::1]"]


def test_it_keeps_its_database_in_its_home(site):
    assert site.read('DATABASES["default"]["NAME"]') == str(site.home / "queue.sqlite3")
    assert not site.home.exists()


def test_its_database_has_the_options_of_a_queue(site):
    options = site.read('DATABASES["default"]["OPTIONS"]')
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]


def test_a_relative_database_file_does_not_depend_on_the_working_directory(site):
    name = site.read('DATABASES["default"]["NAME"]', DATABASE_URL="sqlite:///other.sqlite3")
    assert name == str(site.home / "other.sqlite3")


def test_an_option_of_the_database_url_wins(site):
    options = site.read('DATABASES["default"]["OPTIONS"]', DATABASE_URL="sqlite:///other.sqlite3?timeout=3")
    assert options["timeout"] == 3


@pytest.mark.parametrize(
    ("url", "engine"),
    [
        ("postgres://u:p@db.example/queue", "postgresql"),
        ("postgresql://u:p@db.example/queue", "postgresql"),
        ("mysql://u:p@db.example/queue", "mysql"),
        ("mariadb://u:p@db.example/queue", "mysql"),
    ],
)
def test_it_takes_a_server(site, url, engine):
    database = site.read('DATABASES["default"]', DATABASE_URL=url)
    assert database["ENGINE"] == f"django.db.backends.{engine}"
    assert (database["NAME"], database["HOST"]) == ("queue", "db.example")


def test_the_key_of_the_environment_wins_even_when_it_starts_with_a_dollar(site):
    assert site.read("SECRET_KEY", SECRET_KEY="$ecret") == "$ecret"
    assert not (site.home / "secret_key").exists()


def test_it_reads_the_key_when_one_is_needed(site):
    site.home.mkdir()
    key = site.home / "secret_key"
    key.write_text("a key\n")
    key.chmod(0o600)
    assert site.read("SECRET_KEY + ''") == "a key"


def test_it_reads_the_keys_of_jobs_that_are_set(site):
    assert site.read("JOBS") == {}
    jobs = site.read("JOBS", JOBS_LEASE_SECONDS="12.5", JOBS_COMMANDS='{"backup": ["tar"]}', JOBS_NAME="a text")
    assert jobs == {"LEASE_SECONDS": 12.5, "COMMANDS": {"backup": ["tar"]}, "NAME": "a text"}


@pytest.mark.parametrize("text", ["1", "true", "True", "yes", "on"])
def test_it_understands_a_flag(site, text):
    assert site.read("SESSION_COOKIE_SECURE", SECURE_COOKIES=text) is True


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("DEBUG", "ture", "use true or false"),
        ("SECURE_COOKIES", "maybe", "use true or false"),
        ("LOG_LEVEL", "LOUD", "use one of DEBUG, INFO"),
        ("TIME_ZONE", "Mars/Olympus", "use a name such as Europe/Berlin"),
        ("TIME_ZONE", "../passwd", "use a name such as Europe/Berlin"),
        ("CSRF_TRUSTED_ORIGINS", "queue.example.com", "write it as https://queue.example.com"),
        ("SECRET_KEY", "", "is empty"),
        ("DATABASE_URL", "", "must start with"),
        ("DATABASE_URL", "banana", "must start with"),
        ("DATABASE_URL", "oracle://u:p@h/db", "must start with"),
        ("DATABASE_URL", "sqlite:queue.sqlite3", "must start with"),
        ("DATABASE_URL", "sqlite://", "must name a file"),
        ("DATABASE_URL", "sqlite:///", "must name a file"),
        ("DATABASE_URL", "sqlite://:memory:", "must name a file"),
        ("DATABASE_URL", "sqlite:///:memory:", "must name a file"),
        ("DATABASE_URL", "sqlite:///file:queue?mode=memory", "must name a file"),
        ("DATABASE_URL", "postgres://h:99999999/db", "cannot be read"),
        ("DATABASE_URL", "postgres://h", "names no database"),
    ],
)
def test_it_refuses_a_wrong_value_in_one_line_that_names_it(site, name, value, reason):
    refusal = site.refusal(**{name: value})
    assert refusal.count("\n") == 1
    assert name in refusal
    assert reason in refusal


@pytest.mark.parametrize("password", ["hunter2/x", "hunter2?x", "hunter2#x", "[hunter2", "hunter2]x", "x:hunter2/"])
@pytest.mark.parametrize("name", ["DATABASE_URL", "QUEUE_DATABASE_URL"])
def test_it_repeats_no_part_of_a_password_that_it_cannot_read(site, name, password):
    result = site.run("from queuectl_site import settings", **{name: f"postgres://user:{password}@host/db"})
    assert "hunter2" not in result.stderr + result.stdout
    assert result.returncode == 0 or "DATABASE_URL" in result.stderr


def test_its_log_holds_nothing_that_a_terminal_would_obey(site):
    result = site.run(
        """
import django, logging
django.setup()
try:
    raise ValueError("\\x1b[2Jraised")
except ValueError:
    logging.getLogger("django.tasks").exception("%s", "\\x1b[2Jsaid")
""",
        DJANGO_SETTINGS_MODULE="queuectl_site.settings",
    )
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stderr
    assert "ERROR django.tasks: \\x1b[2Jsaid\nTraceback" in result.stderr
    assert "ValueError: \\x1b[2Jraised\n" in result.stderr


def test_every_variable_it_reads_is_documented():
    source = Path(settings.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r'(?:env\.str|_flag|_names|os\.environ\.get)\("([A-Z_]+)"', source))
    documented = set(re.findall(r"^([A-Z_]+\*?)$", settings.__doc__ or "", flags=re.MULTILINE))
    assert documented == read | {"QUEUECTL_HOME", "JOBS_*"}
