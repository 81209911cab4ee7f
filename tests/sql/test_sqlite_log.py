"""Shortening SQLite's write-ahead log: on a database of its own, whatever the tests run on."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from jobs import sqlite_options
from jobs.sql import sqlite, sqlite_log

SHORT_BYTES = 100_000
LONG_BYTES = 300_000


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(sqlite_log, "SHORT_BYTES", SHORT_BYTES)
    monkeypatch.setattr(sqlite, "LONG_LOG_BYTES", 2 * LONG_BYTES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite3"


@pytest.fixture(params=["IMMEDIATE", "DEFERRED"])
def connection(path, request, django_db_blocker) -> Iterator[BaseDatabaseWrapper]:
    """A connection as the queue has it, and as a project has it that does not use our options."""
    options = {**sqlite_options.options(timeout_seconds=3), "transaction_mode": request.param}
    options["init_command"] += "; PRAGMA wal_autocheckpoint = 0"
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": options}
    handler = ConnectionHandler({"default": database})
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "get_connection", lambda using: handler[using])
        with handler["default"].cursor() as cursor:
            cursor.execute("CREATE TABLE t (x)")
        yield handler["default"]
        handler["default"].close()


@pytest.fixture
def another(connection, path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as another:
        yield another


def grow(connection: BaseDatabaseWrapper, bytes_: int = LONG_BYTES) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (zeroblob(%s))", [bytes_])


def test_it_copies_the_log_and_cuts_its_file(connection, path):
    grow(connection)
    sqlite_log.shorten(connection)
    assert sqlite_log.size_bytes(connection) == SHORT_BYTES
    assert path.stat().st_size > LONG_BYTES
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert cursor.execute("SELECT length(x) FROM t").fetchone() == (LONG_BYTES,)


def test_it_changes_nothing_that_others_see(connection, another):
    another.execute("PRAGMA user_version = 41")
    grow(connection)
    before = another.execute("PRAGMA schema_version").fetchone()
    sqlite_log.shorten(connection)
    assert another.execute("PRAGMA user_version").fetchone() == (41,)
    assert another.execute("PRAGMA schema_version").fetchone() == before


def test_it_lets_nobody_write_while_it_copies(connection, another, monkeypatch):
    refused = []

    class Watched(sqlite3.Connection):
        def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
            if "wal_checkpoint" in statement:
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    another.execute("BEGIN IMMEDIATE")
                refused.append(statement)
            return super().execute(statement, *parameters)

    connect: Callable[..., sqlite3.Connection] = sqlite3.connect
    grow(connection)
    monkeypatch.setattr(sqlite3, "connect", lambda *words, **options: connect(*words, **options, factory=Watched))
    sqlite_log.shorten(connection)
    assert refused == ["PRAGMA wal_checkpoint(PASSIVE)"]


def test_it_copies_nothing_while_somebody_else_writes(connection, another, path):
    grow(connection)
    before = path.stat().st_size, sqlite_log.size_bytes(connection)
    another.execute("BEGIN IMMEDIATE")
    sqlite_log.shorten(connection)
    assert (path.stat().st_size, sqlite_log.size_bytes(connection)) == before
    another.execute("ROLLBACK")
    sqlite_log.shorten(connection)
    assert sqlite_log.size_bytes(connection) == SHORT_BYTES


def test_it_leaves_a_reader_what_it_reads(connection, another):
    another.execute("BEGIN")
    assert another.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)
    grow(connection)
    sqlite_log.shorten(connection)
    assert another.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)
    assert sqlite_log.size_bytes(connection) > LONG_BYTES
    another.execute("COMMIT")
    sqlite_log.shorten(connection)
    assert sqlite_log.size_bytes(connection) == SHORT_BYTES
    assert another.execute("SELECT COUNT(*) FROM t").fetchone() == (1,)


def test_it_leaves_the_connection_its_patience(connection):
    grow(connection)
    sqlite_log.shorten(connection)
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == (3_000,)


def test_a_supervisor_leaves_a_short_log_alone(connection):
    grow(connection, SHORT_BYTES // 2)
    before = sqlite_log.size_bytes(connection)
    sqlite.maintain(connection)
    assert sqlite_log.size_bytes(connection) == before


def test_who_enqueues_leaves_to_a_supervisor_what_one_can_still_do(connection):
    grow(connection)
    before = sqlite_log.size_bytes(connection)
    sqlite.relieve(connection)
    assert sqlite_log.size_bytes(connection) == before
    grow(connection)
    sqlite.relieve(connection)
    assert sqlite_log.size_bytes(connection) == SHORT_BYTES
