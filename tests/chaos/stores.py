"""The databases of a campaign: each kind can make one for a round, with tables and an audit trail of all states."""

import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from tests.chaos import audit
from tests.chaos.load import BRIEF_QUEUE
from tests.e2e.databases import Database, SQLite
from tests.e2e.site import Site
from tests.servers import network as networks
from tests.servers.network import Network
from tests.servers.server import VENDORS, Server
from tests.servers.site import OwnDatabase, migrated

SERVERS = {"postgresql": VENDORS["postgresql"], "mariadb": VENDORS["mysql"]}


class Store(Protocol):
    """Where rounds get their databases. `server` and `network` are None where there is none to be broken."""

    name: str
    server: Server | None
    network: Network | None

    def make(self, home: Path) -> Database:
        """Make a database for a round whose home this is."""

    def problems(self, database: Database) -> list[str]:
        """Return what is wrong with its files."""

    def close(self) -> None: ...


def _prepared(site: Site) -> None:
    for knob, value in (("backoff-base", "0.3"), ("backoff-max", "0.4s")):
        site.ok("config", "set", knob, value)
    site.ok("config", "set", "retention", "0.5s", "--queue", BRIEF_QUEUE)
    site.ok("config", "set", "retention", "3650d")


class SQLiteStore:
    """A file in the home of each round, on a small disk of its own where this user may mount one."""

    name = "sqlite"
    server: Server | None = None
    network: Network | None = None

    def __init__(self, folder: Path) -> None:
        self._template = Site(folder, SQLite(number=0, home=folder))
        self._template.ok("initdb")
        _prepared(self._template)
        audit.begin(self._template.database, self.name)

    def make(self, home: Path) -> Database:
        database = SQLite(number=0, home=home)
        assert isinstance(self._template.database, SQLite)
        database.copy(self._template.database)
        return database

    def problems(self, database: Database) -> list[str]:
        rows = database.rows("PRAGMA integrity_check")
        return [] if rows == [{"integrity_check": "ok"}] else [str(rows[:3])]

    def close(self) -> None:
        """Do nothing: the template goes with its folder."""


class ServerStore:
    """A server of our own, in the networks of this machine where this user may make some."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.network = Network() if networks.missing() is None else None
        host = "127.0.0.1" if self.network is None else self.network.address
        self._server = SERVERS[name](host=host)
        self.server: Server | None = self._server
        self._made = 0
        try:
            self._template = migrated(self._server, folder)
            _prepared(Site(folder, self._template))
        except BaseException:
            self.close()
            raise

    def make(self, home: Path) -> Database:
        self._made += 1
        name = f"round{self._made}"
        database = OwnDatabase(self._server, name)
        database.copy(self._template)
        audit.begin(database, self.name)
        return database

    def problems(self, database: Database) -> list[str]:
        if self.name == "mariadb":
            tables = ", ".join(f"jobs_{table}" for table in ("job", "attempt", "supervisor", "counter"))
            rows = database.rows(f"CHECK TABLE {tables} EXTENDED")
            return [str(row) for row in rows if row["Msg_text"] != "OK"]
        database.change("CREATE EXTENSION IF NOT EXISTS amcheck")
        database.rows(
            "SELECT bt_index_check(indexrelid, true) FROM pg_index"
            " JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam"
            " WHERE amname = 'btree' AND relnamespace = 'public'::regnamespace"
        )  # raises where one is damaged
        return []

    def close(self) -> None:
        self._server.remove()
        if self.network is not None:
            self.network.remove()


def make(name: str, folder: Path) -> Store:
    """Make a store of the kind sqlite, postgresql or mariadb."""
    home = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
    return SQLiteStore(home) if name == "sqlite" else ServerStore(name, home)


def missing(name: str) -> str | None:
    """Return what keeps this machine from having such a store."""
    if name == "sqlite":
        return None
    driver = {"postgresql": "psycopg", "mariadb": "MySQLdb"}[name]
    return SERVERS[name].missing() or (None if find_spec(driver) else driver)


def may_mount() -> bool:
    return networks.missing() is None and shutil.which("mount") is not None
