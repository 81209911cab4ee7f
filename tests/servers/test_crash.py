"""P22: the server is killed, started again, or ends its connections. Nobody has to do anything."""

import signal
import time

from tests.servers.server import Server
from tests.servers.site import END, START, OwnSite, check, check_outage_was_told_once, mixed_load, spread
from tests.waiting import wait_until

RESUME_SECONDS = 30.0
OUTAGE_SECONDS = 4.0
END_BACKENDS_SECONDS = 15.0
STOP_SECONDS = 25.0  # a grace of 2 s, 10 s for the database to come back, the workers' and the store's last words


def test_it_goes_on_after_the_server_was_killed_and_started_again(site: OwnSite, server: Server) -> None:
    load = mixed_load(80)
    supervisor = site.start("--count", "4")
    site.enqueue(*load)
    wait_until(lambda: len(site.lines("S")) > 20, timeout_seconds=10)

    server.kill_hard()
    time.sleep(OUTAGE_SECONDS)
    server.start()
    started_before = len(site.lines("S"))
    wait_until(lambda: len(site.lines("S")) > started_before, timeout_seconds=RESUME_SECONDS)
    site.wait_until_settled()

    check(site, load)
    check_outage_was_told_once(supervisor)
    supervisor.signal(signal.SIGTERM)
    assert supervisor.wait() == 0


def test_it_stops_on_request_while_the_server_is_down(site: OwnSite, server: Server) -> None:
    load = [{"id": "long", "command": f"{START}; [ $QUEUECTL_ATTEMPT = 1 ] && sleep 60; {END}", "max_retries": 3}]
    supervisor = site.start("--count", "1", "--grace", "2s")
    site.enqueue(*load)
    wait_until(lambda: len(site.lines("S")) == 1, timeout_seconds=10)

    server.kill_hard()
    supervisor.signal(signal.SIGTERM)
    code = supervisor.wait(STOP_SECONDS)

    assert code == 1
    assert not site.marked_processes()
    assert "the database did not take everything" in supervisor.log()
    server.start()
    site.start("--count", "1")
    site.wait_until_settled()
    check(site, load)


def test_it_outlives_the_end_of_every_connection_twice_a_second(site: OwnSite, server: Server) -> None:
    load = spread(mixed_load(400, slow_seconds=1.0), END_BACKENDS_SECONDS)
    supervisors = [site.start("--count", "2"), site.start("--count", "2")]
    site.enqueue(*load)

    deadline = time.monotonic() + END_BACKENDS_SECONDS
    ended = 0
    while time.monotonic() < deadline:
        ended += server.end_backends(site.database.name)
        time.sleep(0.5)
    site.wait_until_settled()

    assert ended >= 20
    check(site, load)
    assert all(supervisor.process.poll() is None for supervisor in supervisors)
