"""The system checks: clean for the site as it is, and one stable id for each thing that can be wrong."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.db import connections

from jobs import sqlite_options
from jobs.checks import check_database, check_listen_dsn, check_settings, check_time_zones
from tests.moving import house_in

pytestmark = pytest.mark.django_db  # Django's own checks of JSON fields ask the database

SOUND = sqlite_options.options()["init_command"]

UNREADABLE_DSNS = (
    "host=h password=se cret",
    "host=h password='secret",
    "mysql://user:secret@h/db",
    "postgres://user:se%cret@h/db",
    "postgres://user:se@cret@h/db",
    "postgres://user:cret/x@h/db",
)
READABLE_DSNS = (
    None,
    r"host=h port=5432 password='it\'s a \\ secret'",
    "host=h1,h2 port=5432,5433 dbname=db",
    "postgres://user:se%40cret@h:5432/db?sslmode=require",
    "host=@socket dbname=db",
)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Let the queue be in an SQLite file; return the settings of that database."""
    with house_in(tmp_path / "queue.sqlite3") as house, house.inside():
        yield connections[house.alias].settings_dict


def ids(messages: list[checks.CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


@pytest.fixture
def options(on_sqlite, monkeypatch):
    """Return a function that sets the options of the queue's SQLite database."""

    def use(**changed: Any) -> None:
        monkeypatch.setitem(on_sqlite, "OPTIONS", sqlite_options.options() | changed)

    return use


def test_it_finds_nothing_wrong_with_the_site():
    assert [message for message in checks.run_checks() if (message.id or "").startswith("jobs.")] == []
    assert ids(checks.run_checks(tags=[checks.Tags.compatibility])) == []


def test_it_runs_with_djangos_own_checks(settings):
    settings.JOBS = {"NONSENSE": 1}

    assert "jobs.E001" in ids(checks.run_checks())


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ({"GRACE": 1}, "JOBS['GRACE'] is not a setting"),
        ({"GRACE_SECONDS": "soon"}, "JOBS['GRACE_SECONDS'] must be a number of seconds"),
        ({"LEASE_SECONDS": 0}, "JOBS['LEASE_SECONDS'] must be a number of seconds"),
        ({"COMMANDS": ["backup"]}, "JOBS['COMMANDS'] must be a dictionary."),
        ({"COMMANDS": None}, "JOBS['COMMANDS'] must be a dictionary."),
        ([], "JOBS must be a dictionary."),
    ],
)
def test_it_names_what_is_wrong_with_the_setting(settings, jobs, words):
    settings.JOBS = jobs

    messages = check_settings(app_configs=None)

    assert ids(messages) == ["jobs.E001"]
    assert str(messages[0].msg).startswith(words)


@pytest.mark.parametrize("dsn", UNREADABLE_DSNS)
def test_it_refuses_a_listen_dsn_that_cannot_be_read_and_does_not_repeat_it(settings, dsn):
    settings.JOBS = {"LISTEN_DSN": dsn}

    (message,) = check_listen_dsn(app_configs=None)

    assert message.id == "jobs.E011"
    assert "cret" not in str(message)


@pytest.mark.parametrize("dsn", READABLE_DSNS)
def test_it_takes_a_listen_dsn_as_libpq_does(settings, dsn):
    settings.JOBS = {} if dsn is None else {"LISTEN_DSN": dsn}

    assert check_listen_dsn(app_configs=None) == []


def test_it_refuses_times_without_a_zone(settings):
    settings.USE_TZ = False

    assert ids(check_time_zones(app_configs=None)) == ["jobs.E012"]


def test_it_refuses_a_database_that_cannot_hold_the_queue(monkeypatch):
    monkeypatch.setattr(connections["default"], "vendor", "oracle")

    assert ids(check_database(app_configs=None)) == ["jobs.E002"]


def test_it_refuses_an_sqlite_without_returning(on_sqlite, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))

    assert ids(check_database(app_configs=None)) == ["jobs.E003"]


def test_it_refuses_a_router_that_sends_the_queue_elsewhere(settings):
    class Router:
        def db_for_write(self, model, **hints):
            return "other"

    settings.DATABASE_ROUTERS = [Router()]

    assert ids(check_database(app_configs=None)) == ["jobs.E004"]


def test_it_warns_of_each_option_that_weakens_a_promise(options, monkeypatch):
    monkeypatch.setattr(sqlite_options, "has_wal_reset_race", lambda: True)
    options(init_command=SOUND + "; PRAGMA wal_autocheckpoint=0")
    assert ids(check_database(app_configs=None)) == []

    for changed, expected in (
        ({"transaction_mode": None}, "jobs.W001"),
        ({"transaction_mode": "DEFERRED"}, "jobs.W001"),
        ({"init_command": "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0"}, "jobs.W002"),
        (
            {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;PRAGMA wal_autocheckpoint=0"},
            "jobs.W003",
        ),
        ({"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"}, "jobs.W004"),
    ):
        options(**changed)
        messages = check_database(app_configs=None)
        assert ids(messages) == [expected], changed
        assert "jobs.sqlite_options.options()" in str(messages[0].hint)


def test_it_reads_pragmas_however_they_are_written(options, monkeypatch):
    monkeypatch.setattr(sqlite_options, "has_wal_reset_race", lambda: True)

    options(init_command="pragma JOURNAL_MODE = 'wal';\n PRAGMA synchronous = 2 ;PRAGMA wal_autocheckpoint = 0;")

    assert ids(check_database(app_configs=None)) == []


def test_it_warns_of_everything_on_a_plain_sqlite_database(on_sqlite, monkeypatch):
    monkeypatch.setattr(sqlite_options, "has_wal_reset_race", lambda: False)
    monkeypatch.setitem(on_sqlite, "OPTIONS", {})

    assert ids(check_database(app_configs=None)) == ["jobs.W001", "jobs.W002", "jobs.W003"]
