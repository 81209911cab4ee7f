"""A database for each site: made, copied, looked at and dropped from outside, with the vendor's own driver.

One SQL text serves all vendors. Placeholders are `%s`; `moment` reads times.
"""

import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit

Row = Mapping[str, Any]

SERVER_URL = os.environ.get("DATABASE_URL", "sqlite:///")


class Database(Protocol):
    url: str

    def __init__(self, *, number: int, home: Path) -> None:
        """Name a database that does not exist yet, by its number within this process; a file belongs into `home`."""

    def create(self) -> None:
        """Make it, empty."""

    def copy(self, template: Self) -> None:
        """Make it, with all that is in another one that nobody uses."""

    def drop(self) -> None: ...

    def rows(self, statement: str, *parameters: object) -> list[Row]:
        """Return what a query finds."""

    def change(self, statement: str, *parameters: object) -> None:
        """Run a statement and commit it."""

    def check(self) -> None:
        """Fail if the files of the database are damaged."""


class SQLite:
    def __init__(self, *, number: int, home: Path) -> None:
        self.path = home / "queue.sqlite3"
        self.url = "sqlite:///queue.sqlite3"

    def create(self) -> None:
        self.path.touch(mode=0o600)

    def copy(self, template: Self) -> None:
        shutil.copy(template.path, self.path)

    def drop(self) -> None:
        """Do nothing: it goes with the home."""

    def rows(self, statement: str, *parameters: object) -> list[Row]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement.replace("%s", "?"), parameters)]

    def change(self, statement: str, *parameters: object) -> None:
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            connection.execute(statement.replace("%s", "?"), parameters)

    def check(self) -> None:
        assert self.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


class _OnServer:
    """What the databases of servers have in common: one connection that stays open, each statement its own commit."""

    def __init__(self, *, number: int, home: Path) -> None:
        base = urlsplit(SERVER_URL).path.strip("/")
        self.name = f"test_{base}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_site{number}"
        self.url = urlsplit(SERVER_URL)._replace(path=f"/{self.name}").geturl()
        self._connection: Any = None

    def rows(self, statement: str, *parameters: object) -> list[Row]:
        with self._cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall())

    def change(self, statement: str, *parameters: object) -> None:
        with self._cursor() as cursor:
            cursor.execute(statement, parameters or None)

    def _cursor(self) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection.cursor()

    def _connect(self) -> Any:
        raise NotImplementedError

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgreSQL(_OnServer):
    def create(self) -> None:
        self._administer(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)', f'CREATE DATABASE "{self.name}"')

    def copy(self, template: Self) -> None:
        template._disconnect()
        drop = f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)'
        self._administer(drop, f'CREATE DATABASE "{self.name}" TEMPLATE "{template.name}"')

    def drop(self) -> None:
        self._disconnect()
        self._administer(f'DROP DATABASE "{self.name}" WITH (FORCE)')

    def check(self) -> None:
        self.change("CREATE EXTENSION IF NOT EXISTS amcheck")
        self.rows(
            "SELECT bt_index_check(oid, true) FROM pg_class"
            " WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace"
        )

    def _connect(self) -> Any:
        import psycopg
        from psycopg.rows import dict_row

        return psycopg.connect(self.url, autocommit=True, row_factory=dict_row)

    def _administer(self, *statements: str) -> None:
        import psycopg

        url = urlsplit(SERVER_URL)._replace(path="/postgres").geturl()
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            for statement in statements:
                connection.execute(statement.encode())


class MariaDB(_OnServer):
    def create(self) -> None:
        self._administer(
            f"DROP DATABASE IF EXISTS `{self.name}`", f"CREATE DATABASE `{self.name}` CHARACTER SET utf8mb4"
        )

    def copy(self, template: Self) -> None:
        self.create()
        self.change("SET foreign_key_checks = 0")  # tables come in the order of their names
        for status in template.rows("SHOW TABLE STATUS"):
            table = f"`{status['Name']}`"
            (shown,) = template.rows(f"SHOW CREATE TABLE {table}")
            self.change(shown["Create Table"])
            if status["Rows"]:
                self.change(f"INSERT INTO {table} SELECT * FROM `{template.name}`.{table}")  # noqa: S608
        self._disconnect()

    def drop(self) -> None:
        self._disconnect()
        self._administer(f"DROP DATABASE `{self.name}`")

    def check(self) -> None:
        for table in ("jobs_job", "jobs_attempt", "jobs_supervisor"):
            assert {row["Msg_text"] for row in self.rows(f"CHECK TABLE {table} EXTENDED")} == {"OK"}

    def _connect(self, database: str | None = None) -> Any:
        import MySQLdb
        from MySQLdb.cursors import DictCursor

        url = urlsplit(SERVER_URL)
        return MySQLdb.connect(
            host=url.hostname,
            port=url.port or 3306,
            user=unquote(url.username or "root"),
            password=unquote(url.password or ""),
            database=self.name if database is None else database,
            charset="utf8mb4",
            autocommit=True,
            cursorclass=DictCursor,
        )

    def _administer(self, *statements: str) -> None:
        with closing(self._connect(database="")) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


_VENDORS: dict[str, type[Database]] = {
    "sqlite": SQLite,
    "postgres": PostgreSQL,
    "postgresql": PostgreSQL,
    "mysql": MariaDB,
    "mariadb": MariaDB,
}
CONFIGURED = _VENDORS[urlsplit(SERVER_URL).scheme]


def moment(value: str | datetime) -> datetime:
    """Return a stored time as what it means: SQLite has a text, MariaDB a time without its zone."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time if time.tzinfo else time.replace(tzinfo=UTC)
