"""Supervisors on several machines: they share the work, take over from each other, may disagree about the time."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection

from tests.e2e.databases import moment
from tests.servers import network as networks
from tests.servers.conftest import need
from tests.servers.network import Network
from tests.servers.server import VENDORS, Server
from tests.servers.site import END, START, OwnDatabase, OwnSite, check, migrated
from tests.waiting import wait_until

HOSTS = ("anna", "bert", "cleo")
LEASE_SECONDS = 4.0
CUT_SECONDS = 10.0  # the lease, a sweep of the others, and some more
RETURN_SECONDS = 60.0
LATE_SECONDS = 15.0  # a scheduled job is late by no more, on a busy machine
NOW = "$(date +%s.%N)"

MakeSite = Callable[..., OwnSite]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    need(networks.missing())
    network = Network()
    for host in HOSTS:
        network.machine(host)
    yield network
    network.remove()


@pytest.fixture(scope="module")
def fleet_server(network: Network) -> Iterator[Server]:
    vendor = VENDORS[connection.vendor]
    need(vendor.missing())
    server = vendor(host=network.address)
    yield server
    server.remove()


@pytest.fixture(scope="module")
def template(fleet_server: Server, tmp_path_factory: pytest.TempPathFactory) -> OwnDatabase:
    return migrated(fleet_server, tmp_path_factory.mktemp("blank"))


@pytest.fixture
def make_fleet_site(fleet_server: Server, template: OwnDatabase, tmp_path: Path) -> Iterator[MakeSite]:
    made: list[OwnSite] = []

    def make(**environment: str) -> OwnSite:
        database = OwnDatabase(fleet_server, f"fleet{time.monotonic_ns()}")
        database.copy(template)
        made.append(OwnSite(tmp_path, database, **environment))
        return made[-1]

    yield make
    for site in made:
        site.close()


def _hosts_that_worked(site: OwnSite) -> set[str]:
    return {row["host"] for row in site.rows("SELECT DISTINCT host FROM jobs_attempt")}


def _alive(site: OwnSite) -> set[str]:
    return {row["host"] for row in json.loads(site.ok("worker", "list", "--json")) if row["state"] == "alive"}


def test_machines_share_the_work_and_stop_when_one_asks(network: Network, make_fleet_site: MakeSite) -> None:
    site = make_fleet_site()
    supervisors = [machine.start(site, "--count", "2") for machine in network.machines]
    load: list[dict[str, object]] = [{"id": f"j{n}", "command": f"{START}; sleep 0.1; {END}"} for n in range(90)]
    site.enqueue(*load)
    site.wait_until_settled()

    assert _hosts_that_worked(site) == set(HOSTS)
    assert _alive(site) == set(HOSTS)
    assert site.ok("worker", "stop").count("was asked to stop") == len(HOSTS)
    assert [supervisor.wait() for supervisor in supervisors] == [0] * len(HOSTS)
    check(site, load)


def test_a_machine_that_dies_is_replaced(network: Network, make_fleet_site: MakeSite) -> None:
    site = make_fleet_site(JOBS_LEASE_SECONDS=str(LEASE_SECONDS))
    first = network.machines[0].start(site)
    load: list[dict[str, object]] = [
        {"id": "job1", "command": f"{START}; [ $QUEUECTL_ATTEMPT = 1 ] && sleep 90; {END}"}
    ]
    site.enqueue(*load)
    wait_until(lambda: site.lines("S"))
    network.machines[1].start(site)
    time.sleep(1)  # the other has to have seen it alive
    killed = time.monotonic()
    first.signal(signal.SIGKILL)
    wait_until(lambda: len(site.lines("S")) == 2, timeout_seconds=RETURN_SECONDS)

    assert time.monotonic() - killed > LEASE_SECONDS / 2  # nobody could see that its process was gone
    site.wait_until_settled()
    check(site, load, is_supervisor_lost=True)


def test_a_machine_that_is_cut_off_gives_up_in_time_and_comes_back(network: Network, make_fleet_site: MakeSite) -> None:
    site = make_fleet_site(JOBS_LEASE_SECONDS=str(LEASE_SECONDS))
    cut, other = network.machines[:2]
    lost = cut.start(site)
    first = f'while :; do echo "T {NOW}" >> "$LEDGER"; sleep 0.05; done'
    long = f'{START}; if [ $QUEUECTL_ATTEMPT = 1 ]; then {first}; fi; echo "R {NOW}" >> "$LEDGER"; {END}'
    load: list[dict[str, object]] = [{"id": "long", "command": long}]
    site.enqueue(*load)
    wait_until(lambda: site.lines("T"))
    other.start(site)
    more: list[dict[str, object]] = [{"id": f"j{n}", "command": f"{START}; sleep 0.2; {END}"} for n in range(60)]
    site.enqueue(*more)
    cut.cut()
    try:
        time.sleep(CUT_SECONDS)
        wait_until(lambda: site.lines("R"), timeout_seconds=RETURN_SECONDS)
    finally:
        cut.join()

    (restarted,) = site.lines("R")
    assert float(site.lines("T")[-1][1]) < float(restarted[1]), "it ran twice at once"
    wait_until(lambda: "supervisor started over" in lost.log(), timeout_seconds=RETURN_SECONDS)
    site.wait_until_settled()
    wait_until(lambda: _alive(site) == {cut.host, other.host}, timeout_seconds=RETURN_SECONDS)
    check(site, load + more, is_supervisor_lost=True)


@pytest.mark.parametrize("shift", ["+1h", "-1h"])
def test_a_machine_with_a_wrong_clock_goes_by_the_server_s(
    shift: str, network: Network, make_fleet_site: MakeSite
) -> None:
    library = networks.clock_shifter()
    need(None if library else "faketime")
    site = make_fleet_site()
    site.ok("config", "set", "backoff-base", "2")
    site.ok("config", "set", "backoff-max", "60")
    wrong = {
        "LD_PRELOAD": str(library),
        "FAKETIME": shift,
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    supervisor = network.machines[0].start(site, **wrong)
    told = datetime.fromisoformat(supervisor.log()[:19]).replace(tzinfo=UTC)
    assert abs((told - datetime.now(UTC)).total_seconds()) > 3_000, "its clock is right"
    enqueued = time.time()
    site.enqueue(
        {"id": "later", "command": f'echo "L {NOW}" >> "$LEDGER"', "delay": 4},
        {"id": "again", "command": f'echo "A {NOW}" >> "$LEDGER"; exit 1', "max_retries": 1},
    )
    site.wait_until_settled()

    (later,) = (float(words[1]) for words in site.lines("L"))
    first, second = (float(words[1]) for words in site.lines("A"))
    assert 4 <= later - enqueued < 4 + LATE_SECONDS
    assert second - first >= 2 - 0.05
    (listed,) = json.loads(site.ok("worker", "list", "--json"))
    assert listed["state"] == "alive"
    for stored in (*site.rows("SELECT finished_at FROM jobs_job"), *site.rows("SELECT finished_at FROM jobs_attempt")):
        assert abs((datetime.now(UTC) - moment(stored["finished_at"])).total_seconds()) < 60
