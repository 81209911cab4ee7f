"""A commit whose answer is lost, and one that takes effect long after its connection was given up."""

import contextlib
import random
import time
from collections.abc import Iterator

from tests.servers.conftest import MakeSite
from tests.servers.proxy import Proxy
from tests.servers.server import Server
from tests.servers.site import END, START, check, mixed_load, spread
from tests.waiting import wait_until

LOSSES = 200
LOSING_SECONDS = 60.0  # a busy machine needs longer for as many
GIVEN_UP_SECONDS = 40.0  # a supervisor waits 15 s for an answer
LATE_SECONDS = 30.0

HELD = {
    "postgres": (
        ["ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()"],
        ["ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"],
    ),
    "mariadb": (
        ["BACKUP STAGE START", "BACKUP STAGE FLUSH", "BACKUP STAGE BLOCK_DDL", "BACKUP STAGE BLOCK_COMMIT"],
        ["BACKUP STAGE END"],
    ),
}


def test_it_records_each_run_once_whose_commit_went_unanswered(make_site: MakeSite, proxy: Proxy) -> None:
    seed = random.randrange(10**6)
    site = make_site(port=proxy.port)
    load = spread(mixed_load(1_000, slow_seconds=0.5), 12.0)
    site.enqueue(*load)
    supervisors = [site.start("--count", "2"), site.start("--count", "2")]

    proxy.lose_commits(0.4, random.Random(seed))
    began = time.monotonic()
    deadline = began + LOSING_SECONDS
    while proxy.lost_answers < LOSSES and time.monotonic() < deadline and set(site.states()) - {"completed", "dead"}:
        time.sleep(0.1)
    proxy.heal()
    site.wait_until_settled()

    assert proxy.lost_answers >= LOSSES / 2, f"seed {seed}"
    check(site, load)
    assert not any("lease lost id=" in supervisor.log() for supervisor in supervisors)


@contextlib.contextmanager
def commits_held(server: Server) -> Iterator[None]:
    """Let commits wait, and everything else go on: as with a replica that is gone, or a disk that stalls."""
    with contextlib.closing(server.connect()) as connection, contextlib.closing(connection.cursor()) as cursor:
        hold, release = HELD[server.scheme]
        for statement in hold:
            cursor.execute(statement)
        yield
        for statement in release:
            cursor.execute(statement)


def test_it_gives_back_what_a_commit_claimed_after_it_was_given_up(make_site: MakeSite, server: Server) -> None:
    site = make_site()
    supervisor = site.start("--count", "2")
    load = [{"id": f"j{n}", "command": f"{START}; {END}", "delay": 2} for n in range(20)]
    site.enqueue(*load)

    with commits_held(server):
        wait_until(lambda: "database unavailable" in supervisor.log(), timeout_seconds=GIVEN_UP_SECONDS)
        time.sleep(1)  # it has looked at what it holds meanwhile
    wait_until(lambda: "available again" in supervisor.log(), timeout_seconds=LATE_SECONDS)
    site.wait_until_settled()

    check(site, load)
