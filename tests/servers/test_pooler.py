"""PgBouncer in transaction mode, which swallows notifications without a word. PostgreSQL only."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.conftest import MakeSite, need
from tests.servers.server import Server, find, free_port, program
from tests.servers.site import END, START, check, mixed_load
from tests.waiting import wait_until

SILENCE = "notifications of the database do not arrive, polling instead"
ENDS: dict[str, object] = {"id": "after", "command": f"{START}; {END}"}
CONFIGURATION = """
[databases]
* = host={host} port={server_port} user=queue

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
ignore_startup_parameters = extra_float_digits
"""


@pytest.fixture
def pooler_port(server: Server) -> Iterator[int]:
    need(None if find("pgbouncer") else "pgbouncer")
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="queuectl-pooler-"))
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(CONFIGURATION.format(host=server.host, server_port=server.port, port=port))
    account = server.runs_as
    if account is not None:
        shutil.chown(folder, account)
        shutil.chown(configuration, account)
    with (folder / "log").open("wb") as log:
        pooler = subprocess.Popen([program("pgbouncer"), str(configuration)], stdout=log, stderr=log, user=account)
    wait_until(lambda: "process up" in (folder / "log").read_text())
    yield port
    pooler.kill()
    pooler.wait()
    shutil.rmtree(folder)


def test_it_polls_and_says_so_behind_a_pooler(make_site: MakeSite, pooler_port: int) -> None:
    site = make_site(port=pooler_port)
    supervisors = [site.start("--count", "2"), site.start("--count", "2")]
    load = mixed_load(120, slow_seconds=0.5)
    site.enqueue(*load)
    site.wait_until_settled()
    for supervisor in supervisors:
        wait_until(lambda: SILENCE in supervisor.log())  # noqa: B023

    site.enqueue(ENDS)
    site.wait_for_state("after", "completed", timeout_seconds=5)

    check(site, [*load, ENDS])
    for supervisor in supervisors:
        assert supervisor.log().count(SILENCE) == 1
        assert "unavailable" not in supervisor.log()


def test_it_listens_to_the_server_itself_where_it_is_told_how(
    make_site: MakeSite, pooler_port: int, server: Server
) -> None:
    site = make_site(port=pooler_port)
    dsn = server.url(site.database.name).replace("postgres://", "postgresql://")
    supervisor = site.start("--count", "1", JOBS_LISTEN_DSN=dsn)
    listeners = "SELECT query FROM pg_stat_activity WHERE query LIKE %s AND datname = %s"
    wait_until(lambda: site.rows(listeners, "LISTEN %", site.database.name))

    site.enqueue(ENDS)
    site.wait_for_state("after", "completed", timeout_seconds=5)

    check(site, [ENDS])
    assert "do not arrive" not in supervisor.log()
    assert "cannot listen" not in supervisor.log()


def test_it_goes_on_where_the_server_to_listen_to_says_nothing(make_site: MakeSite) -> None:
    site = make_site()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, as a host behind a firewall might
        dsn = f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=queue"
        supervisor = site.start("--count", "1", JOBS_LISTEN_DSN=dsn)
        wait_until(lambda: "cannot listen, polling instead" in supervisor.log())

        site.enqueue(ENDS)
        site.wait_for_state("after", "completed", timeout_seconds=3)  # the next try stands still for 2 s at most
