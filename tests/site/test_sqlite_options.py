"""The connection options of a queue on SQLite, seen from a connection that uses them."""

import pytest
from django.db.utils import ConnectionHandler

from jobs import sqlite_options


@pytest.fixture
def connect(tmp_path, django_db_blocker):
    opened = []

    def connect():
        database = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(tmp_path / "queue.sqlite3"),
            "OPTIONS": sqlite_options.options(),
        }
        connection = ConnectionHandler({"default": database})["default"]
        opened.append(connection)
        return connection

    with django_db_blocker.unblock():  # for a database of its own
        yield connect
        for connection in opened:
            connection.close()


def pragma(connection, name):
    with connection.cursor() as cursor:
        return cursor.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_commit_is_synced_and_readers_do_not_block_it(connect):
    connection = connect()
    assert pragma(connection, "journal_mode") == "wal"
    assert pragma(connection, "synchronous") == 2  # FULL
    assert pragma(connection, "journal_size_limit") == sqlite_options.JOURNAL_SIZE_LIMIT_BYTES
    assert pragma(connection, "busy_timeout") == 20_000


def test_a_transaction_that_has_begun_can_write(connect):
    connection = connect()
    connection.ensure_connection()
    assert connection.transaction_mode == "IMMEDIATE"


@pytest.mark.parametrize(("has_race", "pages"), [(True, 0), (False, 1000)])
def test_only_a_safe_sqlite_checkpoints_by_itself(connect, monkeypatch, has_race, pages):
    monkeypatch.setattr(sqlite_options, "has_wal_reset_race", lambda: has_race)
    assert pragma(connect(), "wal_autocheckpoint") == pages


def test_the_timeout_is_the_callers():
    assert sqlite_options.options(timeout_seconds=3)["timeout"] == 3


@pytest.mark.parametrize(
    "version", [(3, 7, 0), (3, 40, 1), (3, 44, 5), (3, 45, 0), (3, 49, 9), (3, 50, 6), (3, 51, 0), (3, 51, 2)]
)
def test_it_knows_the_builds_with_the_race(version):
    assert sqlite_options.has_wal_reset_race(version)


@pytest.mark.parametrize(
    "version", [(3, 6, 23), (3, 44, 6), (3, 44, 99), (3, 50, 7), (3, 50, 8), (3, 51, 3), (3, 52, 0), (4, 0, 0)]
)
def test_it_knows_the_builds_without_the_race(version):
    assert not sqlite_options.has_wal_reset_race(version)
