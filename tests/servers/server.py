"""Database servers of our own, for tests that kill, stop and freeze them. The machine's servers are never touched."""

import abc
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import psutil

from tests.e2e.databases import Row
from tests.waiting import wait_until

START_SECONDS = 30.0
STOP_SECONDS = 30.0
PASSWORD = "secret"  # of the users `queue` and `locked`, where the server asks for one
POSTGRES_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")


class Server(abc.ABC):
    """A server in a temporary folder. Users: its superuser through a Unix socket, `queue` over TCP."""

    scheme: ClassVar[str]
    account: ClassVar[str]  # whom the server runs as, where the tests run as root
    programs: ClassVar[tuple[str, ...]]

    def __init__(self, *, host: str = "127.0.0.1", max_connections: int = 100) -> None:
        self.host = host
        self.port = free_port(host)
        self.max_connections = max_connections
        self.folder = Path(tempfile.mkdtemp(prefix="queuectl-server-"))
        self.log_path = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        if self.runs_as is not None:
            shutil.chown(self.folder, self.runs_as, self.runs_as)
        try:
            self.install()
            self.start()
            self.make_users()
        except BaseException:
            self.remove()
            raise

    @property
    def runs_as(self) -> str | None:
        return self.account if os.geteuid() == 0 else None

    @classmethod
    def missing(cls) -> str | None:
        """Return the name of a program that this machine lacks."""
        return next((program for program in cls.programs if find(program) is None), None)

    @abc.abstractmethod
    def install(self) -> None:
        """Make the files of an empty server."""

    @abc.abstractmethod
    def command(self) -> list[str]: ...

    @abc.abstractmethod
    def make_users(self) -> None: ...

    @abc.abstractmethod
    def connect(self, database: str | None = None) -> Any:
        """Connect as superuser, each statement its own commit."""

    @abc.abstractmethod
    def connect_as_user(self, database: str) -> Any:
        """Connect as a supervisor does."""

    @abc.abstractmethod
    def copy_database(self, template: str, name: str) -> None: ...

    @abc.abstractmethod
    def drop_database(self, name: str) -> None: ...

    @abc.abstractmethod
    def end_backends(self, database: str) -> int:
        """End all connections to a database but our own; return how many."""

    @abc.abstractmethod
    def make_read_only(self, database: str) -> None: ...

    @abc.abstractmethod
    def make_writable(self, database: str) -> None: ...

    def url(self, database: str, *, user: str = "queue", password: str = PASSWORD, port: int | None = None) -> str:
        return f"{self.scheme}://{user}:{password}@{self.host}:{port or self.port}/{database}"

    def run(self, statement: str, *parameters: object, database: str | None = None) -> list[Row]:
        """Run a statement as superuser; return its rows, if it has any."""
        with closing(self.connect(database)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._identity(),
            )
        wait_until(self._answers, timeout_seconds=START_SECONDS)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log_path.read_text(errors="replace")[-2_000:]
        return self._accepts()

    def _accepts(self) -> bool:
        try:
            self.connect().close()
        except self.driver_error():
            return False
        return True

    @abc.abstractmethod
    def driver_error(self) -> type[Exception]: ...

    def _identity(self) -> dict[str, Any]:
        account = self.runs_as
        return {} if account is None else {"user": account, "group": account, "extra_groups": []}

    def call(self, *words: str) -> None:
        """Run a program that makes files of the server."""
        done = subprocess.run(words, capture_output=True, text=True, cwd=self.folder, check=False, **self._identity())
        assert done.returncode == 0, done.stderr + done.stdout

    def processes(self) -> list[psutil.Process]:
        if self.process is None or self.process.poll() is not None:
            return []
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def _signal(self, number: signal.Signals) -> list[psutil.Process]:
        processes = self.processes()
        for process in processes:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                pass
        return processes

    def kill_hard(self) -> None:
        """End it as a power cut would: every process at once, nothing tidied up."""
        processes = self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(STOP_SECONDS)
        psutil.wait_procs(processes, STOP_SECONDS)

    def stop(self) -> None:
        """End it in good order; whoever is connected is cut off."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            self.process.wait(STOP_SECONDS)

    stop_signal: ClassVar[signal.Signals]

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Make it silent: connections stay open, and new ones are accepted by the kernel alone."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def mend(self) -> None:
        """Bring it back from whatever a test did to its processes."""
        self.thaw()
        wait_until(lambda: self._accepts() or not self.processes(), timeout_seconds=START_SECONDS)
        if not self.processes():
            self.start()

    def remove(self) -> None:
        self.kill_hard()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    scheme = "postgres"
    account = "postgres"
    programs = ("postgres", "initdb")
    stop_signal = signal.SIGINT  # "fast": sessions are ended

    def install(self) -> None:
        data = self.folder / "data"
        self.call(
            program("initdb"),
            "--no-sync",
            f"--pgdata={data}",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        )
        (data / "pg_hba.conf").write_text(
            "local all postgres trust\nhost all locked all scram-sha-256\nhost all all all trust\n"
        )

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": self.host,
            "port": self.port,
            "unix_socket_directories": self.folder,
            "max_connections": self.max_connections,
            "shared_buffers": "64MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [program("postgres"), "-D", str(self.folder / "data"), *options]

    def make_users(self) -> None:
        self.run("CREATE ROLE queue LOGIN CREATEDB")
        self.run(f"CREATE ROLE locked LOGIN PASSWORD '{PASSWORD}'")

    def connect(self, database: str | None = None) -> Any:
        import psycopg
        from psycopg.rows import dict_row

        return psycopg.connect(
            host=str(self.folder),
            port=self.port,
            user="postgres",
            dbname=database or "postgres",
            autocommit=True,
            row_factory=dict_row,
        )

    def connect_as_user(self, database: str) -> Any:
        import psycopg

        return psycopg.connect(host=self.host, port=self.port, user="queue", dbname=database, autocommit=True)

    def driver_error(self) -> type[Exception]:
        import psycopg

        return psycopg.Error

    def copy_database(self, template: str, name: str) -> None:
        self.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER queue')

    def drop_database(self, name: str) -> None:
        self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def end_backends(self, database: str) -> int:
        ended = self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", database)
        return len(ended)

    def make_read_only(self, database: str) -> None:
        self.run(f'ALTER DATABASE "{database}" SET default_transaction_read_only = on')
        self.end_backends(database)  # the setting is for new sessions

    def make_writable(self, database: str) -> None:
        self.run(f'ALTER DATABASE "{database}" RESET default_transaction_read_only')
        self.end_backends(database)


class MariaDB(Server):
    scheme = "mariadb"
    account = "mysql"
    programs = ("mariadbd", "mariadb-install-db", "mariadb-dump", "mariadb")
    stop_signal = signal.SIGTERM

    def install(self) -> None:
        self.call(
            program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        )

    @property
    def _socket(self) -> str:
        return str(self.folder / "socket")

    def command(self) -> list[str]:
        return [
            program("mariadbd"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self._socket}",
            f"--pid-file={self.folder / 'pid'}",
            f"--bind-address={self.host}",
            f"--port={self.port}",
            f"--max-connections={self.max_connections}",
            "--character-set-server=utf8mb4",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=128M",
        ]

    def make_users(self) -> None:
        for user in ("queue", "locked"):
            self.run(f"CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}'")
            self.run(f"GRANT ALL ON `%`.* TO {user}@'%'")

    def connect(self, database: str | None = None) -> Any:
        import MySQLdb
        from MySQLdb.cursors import DictCursor

        named = {} if database is None else {"database": database}
        return MySQLdb.connect(
            unix_socket=self._socket, user="root", charset="utf8mb4", autocommit=True, cursorclass=DictCursor, **named
        )

    def connect_as_user(self, database: str) -> Any:
        import MySQLdb

        return MySQLdb.connect(
            host=self.host, port=self.port, user="queue", password=PASSWORD, database=database, autocommit=True
        )

    def driver_error(self) -> type[Exception]:
        import MySQLdb

        error: type[Exception] = MySQLdb.Error
        return error

    def copy_database(self, template: str, name: str) -> None:
        self.run(f"CREATE DATABASE `{name}`")
        server = ["--no-defaults", f"--socket={self._socket}", "--user=root"]
        dump = subprocess.run([program("mariadb-dump"), *server, template], capture_output=True, check=True)
        subprocess.run([program("mariadb"), *server, name], input=dump.stdout, check=True)

    def drop_database(self, name: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS `{name}`")

    def end_backends(self, database: str) -> int:
        import MySQLdb

        others = self.run("SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = %s", database)
        for other in others:
            try:
                self.run(f"KILL {other['id']}")
            except MySQLdb.OperationalError:
                pass  # it has just gone
        return len(others)

    def make_read_only(self, database: str) -> None:
        self.run("SET GLOBAL read_only = 1")

    def make_writable(self, database: str) -> None:
        self.run("SET GLOBAL read_only = 0")


VENDORS: dict[str, type[Server]] = {"postgresql": Postgres, "mysql": MariaDB}


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def find(name: str) -> str | None:
    """Return where a program is; Debian keeps those of PostgreSQL off the PATH, and those of servers off a user's."""
    folders = [str(folder) for pattern in POSTGRES_FOLDERS for folder in sorted(Path("/").glob(pattern[1:]))]
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin", *reversed(folders)]))


def program(name: str) -> str:
    found = find(name)
    assert found is not None, f"{name} is not on this machine"
    return found
