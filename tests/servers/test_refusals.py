"""A server that refuses: too many connections, a wrong password, no such database, read-only, not there at all."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.e2e.site import Site
from tests.servers.conftest import need
from tests.servers.proxy import Proxy
from tests.servers.server import VENDORS, Server
from tests.servers.site import OwnDatabase, OwnSite, check, migrated, mixed_load, spread
from tests.waiting import wait_until

UNAVAILABLE = 75
REFUSED_SECONDS = 10.0
BUSY_SECONDS = 5.0  # what a loaded machine may add
MAX_CONNECTIONS = 12
READ_ONLY_SECONDS = 3.0
FULL_SECONDS = 4.0


def check_line(done: subprocess.CompletedProcess[str], *codes: int) -> None:
    """Expect one line on stderr."""
    assert done.returncode in codes, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_it_waits_while_the_database_is_read_only(site: OwnSite, server: Server) -> None:
    load = spread(mixed_load(60, slow_seconds=1.0), 4.0)
    supervisor = site.start("--count", "2")
    site.enqueue(*load)
    wait_until(lambda: len(site.lines("S")) > 5, timeout_seconds=10)

    server.make_read_only(site.database.name)
    try:
        wait_until(lambda: "database unavailable" in supervisor.log(), timeout_seconds=20)
        refused = site.run("enqueue", "--id", "refused", "true")
        time.sleep(READ_ONLY_SECONDS)
    finally:
        server.make_writable(site.database.name)
    site.wait_until_settled()

    check_line(refused, UNAVAILABLE)
    assert "read-only" in refused.stderr
    check(site, load)
    # At most once more for each end of the sessions, by which the setting gets to them.
    assert 1 <= supervisor.log().count("database unavailable") <= 3, supervisor.log()
    assert supervisor.log().count("available again") == supervisor.log().count("database unavailable")


@pytest.mark.parametrize("verb", [["status"], ["enqueue", "true"], ["worker", "start"], ["worker", "list"]])
def test_it_says_in_one_line_that_no_server_is_there(
    site: OwnSite, server: Server, proxy: Proxy, verb: list[str]
) -> None:
    proxy.refuse()
    site.environment["DATABASE_URL"] = server.url(site.database.name, port=proxy.port)

    began = time.monotonic()
    check_line(site.run(*verb), UNAVAILABLE)
    if verb[0] != "worker":
        assert time.monotonic() - began < REFUSED_SECONDS + BUSY_SECONDS


def test_it_says_in_one_line_that_the_server_is_silent(site: OwnSite, server: Server, proxy: Proxy) -> None:
    proxy.swallow()
    site.environment["DATABASE_URL"] = server.url(site.database.name, port=proxy.port)

    began = time.monotonic()
    check_line(site.run("status"), UNAVAILABLE)

    assert time.monotonic() - began < REFUSED_SECONDS + BUSY_SECONDS


def test_doctor_finds_that_no_server_is_there(site: OwnSite, server: Server, proxy: Proxy) -> None:
    proxy.refuse()
    site.environment["DATABASE_URL"] = server.url(site.database.name, port=proxy.port)

    done = site.run("doctor")

    assert done.returncode == 1
    assert "cannot be reached" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", [["status"], ["worker", "start"]])
def test_it_says_in_one_line_that_the_password_is_wrong(site: OwnSite, server: Server, verb: list[str]) -> None:
    site.environment["DATABASE_URL"] = server.url(site.database.name, user="locked", password="wrong")

    done = site.run(*verb)

    check_line(done, 1, UNAVAILABLE)
    assert "locked" in done.stderr  # in the server's own words


@pytest.mark.parametrize("verb", [["status"], ["worker", "start"]])
def test_it_says_in_one_line_that_the_database_is_gone(site: OwnSite, server: Server, verb: list[str]) -> None:
    site.environment["DATABASE_URL"] = server.url("nowhere")

    done = site.run(*verb)

    check_line(done, 1, UNAVAILABLE)
    assert "nowhere" in done.stderr


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    need(VENDORS[connection.vendor].missing())
    server = VENDORS[connection.vendor](max_connections=MAX_CONNECTIONS)
    migrated(server, tmp_path_factory.mktemp("small"))
    yield server
    server.remove()


@contextlib.contextmanager
def connections_taken(server: Server, *, but: int = 0) -> Iterator[list[Any]]:
    """Hold all connections that a user can have, but so many."""
    held: list[Any] = []
    try:
        with contextlib.suppress(server.driver_error()):
            while True:
                held.append(server.connect_as_user("blank"))
        for _ in range(but):
            held.pop().close()
        yield held
    finally:
        for one in held:
            one.close()


@pytest.fixture
def small_site(small_server: Server, tmp_path: Path) -> Iterator[Site]:
    """A site on a server that takes few connections."""
    database = OwnDatabase(small_server, "small")
    database.copy(OwnDatabase(small_server, "blank"))
    site = Site(tmp_path, database)
    yield site
    site.close()


def test_it_says_in_one_line_that_there_is_no_connection_left(small_site: Site, small_server: Server) -> None:
    with connections_taken(small_server):
        done = small_site.run("status")

    check_line(done, UNAVAILABLE)
    assert "no more connections" in done.stderr


def test_supervisors_wait_for_connections(small_site: Site, small_server: Server) -> None:
    load = mixed_load(40, slow_seconds=0.5)
    small_site.enqueue(*load)
    with connections_taken(small_server):
        supervisors = [small_site.start_unready("--count", "1") for _ in range(2)]
        time.sleep(FULL_SECONDS)
        codes = [supervisor.process.poll() for supervisor in supervisors]
        logs = [supervisor.log() for supervisor in supervisors]

    assert codes == [None, None], logs
    small_site.wait_until_settled()
    check(small_site, load)


def test_a_supervisor_with_one_connection_works(small_site: Site, small_server: Server) -> None:
    with connections_taken(small_server, but=1):
        supervisor = small_site.start("--count", "1")
        if small_server.scheme == "postgres":
            wait_until(lambda: "cannot listen, polling instead" in supervisor.log())
    load = mixed_load(20, slow_seconds=0.5)
    small_site.enqueue(*load)
    small_site.wait_until_settled()

    check(small_site, load)
