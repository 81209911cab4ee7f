"""Shortening SQLite's write-ahead log, in a way that the WAL-reset race cannot touch (docs/decisions/0018).

In the builds that have the race, a checkpoint that begins while another connection starts the log over takes frames for
copied that are not: commits vanish, or the file is damaged. Nobody can start the log over without the write lock. Even
`wal_checkpoint(TRUNCATE)` goes on without that lock if it does not get it in time, and no checkpoint runs within a
transaction. So here one connection holds the lock while a second one copies.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

SHORT_BYTES = 16 * 1024 * 1024  # to which the file returns; a second of full load, and longer makes readers slower
LOCK_WAIT_MS = 100  # for the write lock; another try comes soon
READERS_SECONDS = 0.01  # for those who began before all was copied; those who come later do not use the log


def size_bytes(connection: BaseDatabaseWrapper) -> int:
    """Return the size of the log's file; 0 if there is none."""
    try:
        return Path(f"{connection.settings_dict['NAME']}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def shorten(connection: BaseDatabaseWrapper) -> None:
    """Copy the log into the database and start it over, as far as readers and other writers let that happen now."""
    connection.ensure_connection()
    try:
        with connection.wrap_database_errors, _little_patience(connection):
            if _copy(connection):
                _start_over(connection)
    except OperationalError as error:
        if "locked" not in str(error):
            raise


def _copy(connection: BaseDatabaseWrapper) -> bool:
    """Copy what readers do not need any more; return whether that was everything."""
    path = str(connection.settings_dict["NAME"])
    with (
        closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as copier,
        transaction.atomic(using=connection.alias),
    ):
        _write_nothing_new(connection)  # which takes the write lock, however transactions begin
        transaction.set_rollback(True, using=connection.alias)
        copier.execute("PRAGMA synchronous = FULL")
        _, frames, copied = copier.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        time.sleep(READERS_SECONDS)
    return bool(frames == copied)


def _start_over(connection: BaseDatabaseWrapper) -> None:
    """Write once more: the first transaction after everything was copied starts the log over, and cuts its file."""
    connection.connection.execute(f"PRAGMA journal_size_limit = {SHORT_BYTES}")
    with transaction.atomic(using=connection.alias):
        _write_nothing_new(connection)


def _write_nothing_new(connection: BaseDatabaseWrapper) -> None:
    """Write the number that SQLite keeps for applications as it is: a page is written, and nothing changes."""
    with connection.cursor() as cursor:
        (version,) = cursor.execute("PRAGMA user_version").fetchone()
        cursor.execute(f"PRAGMA user_version = {int(version)}")


@contextmanager
def _little_patience(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Wait for locks but briefly, whatever this connection does otherwise."""
    execute = connection.connection.execute
    (before,) = execute("PRAGMA busy_timeout").fetchone()
    execute(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")
    try:
        yield
    finally:
        execute(f"PRAGMA busy_timeout = {before}")
