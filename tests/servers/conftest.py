"""Servers, and sites on them. A test run has one server for each of its processes, and each test its own database."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.servers.proxy import Proxy
from tests.servers.server import VENDORS, Server
from tests.servers.site import OwnDatabase, OwnSite, migrated

# SQLite has no server; what only one of the vendors has, the other does not collect.
collect_ignore_glob = {
    "sqlite": ["test_*.py"],
    "mysql": ["test_pooler.py"],
}.get(connection.vendor, [])

MakeSite = Callable[..., OwnSite]


def need(missing: str | None) -> None:
    """Skip what this machine cannot run; fail where everything must be run."""
    if missing is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{missing} is missing here, and CI runs every test")
    pytest.skip(f"not tested: this machine lacks {missing}")


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    vendor = VENDORS[connection.vendor]
    need(vendor.missing())
    server = vendor()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def blank(shared_server: Server, tmp_path_factory: pytest.TempPathFactory) -> OwnDatabase:
    """A migrated database, to be copied."""
    return migrated(shared_server, tmp_path_factory.mktemp("blank"))


@pytest.fixture
def server(shared_server: Server, blank: OwnDatabase) -> Iterator[Server]:
    """The server, which works when a test begins."""
    shared_server.mend()
    yield shared_server
    shared_server.mend()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A network of its own to the server."""
    proxy = Proxy(server.host, server.port)
    yield proxy
    proxy.refuse()


_names = (f"site{number}" for number in itertools.count())


@pytest.fixture
def make_site(server: Server, blank: OwnDatabase, tmp_path: Path) -> Iterator[MakeSite]:
    """Make a site on the server, or on it through a port: `make_site(port=proxy.port, JOBS_LEASE_SECONDS="3")`."""
    made: list[OwnSite] = []

    def make(*, port: int | None = None, **environment: str) -> OwnSite:
        name = next(_names)
        home = tmp_path / name
        home.mkdir()
        database = OwnDatabase(server, name, url=server.url(name, port=port))
        database.copy(blank)
        made.append(OwnSite(home, database, **environment))
        return made[-1]

    yield make
    server.mend()
    for site in made:
        site.close()


@pytest.fixture
def site(make_site: MakeSite) -> OwnSite:
    return make_site()
