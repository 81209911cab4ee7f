"""Where systems keep their jobs: an empty place for each run, which is removed after it.

PostgreSQL and MariaDB are servers that run already, on 127.0.0.1 or as POSTGRES_URL and MARIADB_URL say; databases of
our own are made there, whose names begin with `queuectl_bench_`. Redis is a private server on a free port.
"""

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

DATABASE = f"queuectl_bench_{os.getpid()}"  # two runs on one server leave each other alone
REDIS_SECONDS = 10  # until a new server answers


class Absent(Exception):
    """This kind of store is not to be had here."""


class Store(Protocol):
    """A kind of store. Places are URLs."""

    name: str

    def facts(self) -> str:
        """Return product, version, and the settings that decide what a commit is worth."""

    def make(self, name: str = "") -> str:
        """Return an empty place; those that exist at the same time have different names."""

    def settle(self, url: str) -> None:
        """Gather statistics and write back what is dirty, so that no run pays for what was before it."""

    def remove(self, url: str) -> None:
        """Remove a place."""

    def close(self) -> None:
        """Stop what was started."""


class SQLite:
    name = "sqlite"

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    def facts(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def make(self, name: str = "") -> str:
        directory = self._scratch / f"sqlite{name}"
        directory.mkdir()
        return f"sqlite://{directory}/queue.sqlite3"

    def settle(self, url: str) -> None:
        connection = sqlite3.connect(urlsplit(url).path)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def remove(self, url: str) -> None:
        shutil.rmtree(Path(urlsplit(url).path).parent)

    def close(self) -> None:
        pass


class PostgreSQL:
    name = "postgresql"

    def __init__(self, _scratch: Path) -> None:
        try:
            import psycopg  # noqa: PLC0415 - it may not be installed

            self._url = urlsplit(os.environ.get("POSTGRES_URL", "postgresql://postgres@127.0.0.1/postgres"))
            self._psycopg = psycopg
            self._run("SELECT 1")
        except Exception as error:  # noqa: BLE001 - without the driver its classes have no names
            raise Absent(f"PostgreSQL: {_line(error)}") from None

    def facts(self) -> str:
        ((version,),) = self._run("SHOW server_version")
        names = ("fsync", "synchronous_commit", "shared_buffers", "autovacuum")
        shown = [f"{name}={self._run(f'SHOW {name}')[0][0]}" for name in names]
        return f"PostgreSQL {version.split()[0]}, {', '.join(shown)}"

    def make(self, name: str = "") -> str:
        url = self._url._replace(scheme="postgresql", path=f"/{DATABASE}{name}").geturl()
        self.remove(url)
        self._run(f"CREATE DATABASE {DATABASE}{name}")
        return url

    def settle(self, url: str) -> None:
        with self._psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")

    def remove(self, url: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")

    def close(self) -> None:
        pass

    def _run(self, statement: str) -> list[Any]:
        url = self._url._replace(path="/postgres").geturl()
        with self._psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


class MariaDB:
    name = "mariadb"

    def __init__(self, _scratch: Path) -> None:
        try:
            import MySQLdb  # noqa: PLC0415 - it may not be installed

            self._driver = MySQLdb
            self._url = urlsplit(os.environ.get("MARIADB_URL", "mariadb://root@127.0.0.1:3306/"))
            self._run("SELECT 1")
        except Exception as error:  # noqa: BLE001 - without the driver its classes have no names
            raise Absent(f"MariaDB: {_line(error)}") from None

    def facts(self) -> str:
        ((version,),) = self._run("SELECT VERSION()")
        names = ("innodb_flush_log_at_trx_commit", "log_bin", "innodb_buffer_pool_size")
        shown = [f"{name}={self._run(f'SELECT @@{name}')[0][0]}" for name in names]
        return f"MariaDB {version.partition('-')[0]}, {', '.join(shown)}"

    def make(self, name: str = "") -> str:
        url = self._url._replace(path=f"/{DATABASE}{name}").geturl()
        self.remove(url)
        self._run(f"CREATE DATABASE {DATABASE}{name} CHARACTER SET utf8mb4")
        return url

    def settle(self, url: str) -> None:
        tables = self._run(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{_name(url)}'")
        for (table,) in tables:
            self._run(f"ANALYZE TABLE {_name(url)}.{table}")

    def remove(self, url: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {_name(url)}")

    def close(self) -> None:
        pass

    def _run(self, statement: str) -> list[Any]:
        connection = connect_mariadb(self._driver, self._url)
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())
        finally:
            connection.close()


class Redis:
    name = "redis"
    SETTINGS = "--appendonly yes --appendfsync everysec --save".split()

    def __init__(self, scratch: Path) -> None:
        if shutil.which("redis-server") is None:
            raise Absent("Redis: there is no redis-server")
        self._directory = scratch / "redis"
        self._directory.mkdir()
        self._port = _free_port()
        words = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._directory), *self.SETTINGS, ""]
        self._server = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        _wait_until(lambda: self._ask("PING") == "+PONG", REDIS_SECONDS)

    def facts(self) -> str:
        done = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True)
        version = done.stdout.partition("v=")[2].split()[0]
        return f"Redis {version}, appendonly=yes, appendfsync=everysec"

    def make(self, name: str = "") -> str:
        assert not name, "a private server has one place"
        self._ask("FLUSHALL")
        return f"redis://127.0.0.1:{self._port}/0"

    def settle(self, url: str) -> None:
        pass  # it keeps no statistics

    def remove(self, url: str) -> None:  # noqa: ARG002
        self._ask("FLUSHALL")

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(10)

    def _ask(self, command: str) -> str:
        try:
            with socket.create_connection(("127.0.0.1", self._port), 10) as connection:
                connection.sendall(f"{command}\r\n".encode())
                return connection.recv(1_000).decode().strip()
        except OSError:
            return ""


KINDS: dict[str, Callable[[Path], Store]] = {
    "sqlite": SQLite,
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
    "redis": Redis,
}


def connect_mariadb(driver: Any, url: SplitResult) -> Any:
    return driver.connect(
        host=url.hostname,
        port=url.port or 3306,
        user=url.username or "root",
        password=url.password or "",
        database=url.path.removeprefix("/"),
        autocommit=True,
    )


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until(is_true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise Absent("Redis: the server does not answer")
        time.sleep(0.05)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
