"""P22: the server, or the network, says nothing any more. Deadlines go on, and nobody waits for ever."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.site import READY, Site, Supervisor
from tests.servers.conftest import MakeSite
from tests.servers.proxy import Proxy
from tests.servers.server import Server
from tests.servers.site import END, START, OwnSite, check, check_outage_was_told_once, mixed_load
from tests.waiting import wait_until

SILENT_SECONDS = 25.0
RESUME_SECONDS = 30.0
TIMEOUT_SECONDS = 2.0
BUSY_SECONDS = 5.0  # what a loaded machine may add

ANSWER_SECONDS = 15.0  # how long a command waits for one
WORDS = 24  # more than a command says
SUPERVISORS = 6
EXISTS = 5
TRY_AGAIN = 75

LATE = {"id": "late", "command": f"{START}; sleep 60", "timeout": TIMEOUT_SECONDS, "max_retries": 0, "priority": 9}
SLOW = {"id": "slow", "command": f"{START}; sleep 6; {END}", "priority": 9}
LOAD = [LATE, SLOW, *mixed_load(60, slow_seconds=1.0)]


def test_it_minds_deadlines_and_recovers_when_the_server_was_frozen(site: Site, server: Server) -> None:
    supervisor = site.start("--count", "3")

    _be_silent(site, supervisor, server.freeze, server.thaw)


def test_it_minds_deadlines_and_recovers_when_packets_were_swallowed(make_site: MakeSite, proxy: Proxy) -> None:
    site = make_site(port=proxy.port)
    supervisor = site.start("--count", "3")

    _be_silent(site, supervisor, proxy.swallow, proxy.heal)


def _be_silent(site: Site, supervisor: Supervisor, begin: Callable[[], None], end: Callable[[], None]) -> None:
    site.enqueue(*LOAD)
    wait_until(lambda: {"late", "slow"} <= {line[1] for line in site.lines("S")}, timeout_seconds=10)
    begin()
    silent = time.monotonic()
    wait_until(lambda: len(site.marked_processes()) == 0, timeout_seconds=6 + BUSY_SECONDS)
    wait_until(lambda: "database unavailable" in supervisor.log(), timeout_seconds=SILENT_SECONDS)
    time.sleep(max(0.0, SILENT_SECONDS - (time.monotonic() - silent)))

    end()
    started_before = len(site.lines("S"))
    wait_until(lambda: len(site.lines("S")) > started_before, timeout_seconds=RESUME_SECONDS)
    site.wait_until_settled()

    (late,) = site.attempts("late")
    assert late["outcome"] == "timed_out"
    assert late["run_seconds"] < TIMEOUT_SECONDS + BUSY_SECONDS
    check(site, LOAD)
    check_outage_was_told_once(supervisor)


@pytest.mark.parametrize("before", [True, False], ids=["before the server has it", "when the server has it"])
def test_a_command_whose_commit_meets_silence_ends_and_can_be_repeated(
    before: bool, make_site: MakeSite, proxy: Proxy, tmp_path: Path
) -> None:
    site = make_site(port=proxy.port)
    file = tmp_path / "jobs.jsonl"
    file.write_text('{"id": "one", "command": "true"}\n{"id": "other", "command": "true"}\n')
    words = ("enqueue", "--file", str(file))  # two jobs are one transaction

    proxy.hush_commits(before=before)
    began = time.monotonic()
    done = site.run(*words)
    took = time.monotonic() - began
    proxy.heal()

    assert done.returncode == TRY_AGAIN, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert ANSWER_SECONDS <= took < ANSWER_SECONDS + 2 * BUSY_SECONDS
    assert site.run(*words).returncode == (0 if before else EXISTS)
    assert site.states() == {"pending": 2}


def test_a_command_ends_wherever_in_its_conversation_silence_falls(make_site: MakeSite, proxy: Proxy) -> None:
    site = make_site(port=proxy.port)
    _let_connecting_take_statements(site)

    proxy.fade()
    began = time.monotonic()
    ended = site.run_together(*[("status",)] * WORDS)
    took = time.monotonic() - began

    assert {end.returncode for end in ended} <= {0, TRY_AGAIN}
    assert sum(end.returncode for end in ended) > TRY_AGAIN
    assert took < 3 * ANSWER_SECONDS


def test_a_supervisor_comes_back_wherever_in_its_conversation_silence_falls(make_site: MakeSite, proxy: Proxy) -> None:
    site = make_site(port=proxy.port)
    supervisors = [site.start_unready() for _ in range(SUPERVISORS)]
    _let_connecting_take_statements(site)
    for supervisor in supervisors:
        wait_until(lambda: READY in supervisor.said(), timeout_seconds=RESUME_SECONDS)  # noqa: B023

    proxy.fade()
    proxy.cut()
    time.sleep(SILENT_SECONDS)
    proxy.heal()

    for supervisor in supervisors:
        wait_until(lambda: "database available again" in supervisor.log(), timeout_seconds=RESUME_SECONDS)  # noqa: B023
    site.enqueue({"id": "after", "command": "true"})
    site.wait_until_settled()


def test_a_supervisor_does_not_hang_when_it_starts_in_silence(make_site: MakeSite, proxy: Proxy) -> None:
    site = make_site(port=proxy.port)
    _let_connecting_take_statements(site)

    proxy.fade()
    supervisors = [site.start_unready() for _ in range(2 * SUPERVISORS)]

    for supervisor in supervisors:
        wait_until(
            lambda: READY in supervisor.said() or supervisor.process.poll() is not None,  # noqa: B023
            timeout_seconds=4 * ANSWER_SECONDS,
        )
    assert {supervisor.process.poll() for supervisor in supervisors} <= {None, TRY_AGAIN}
    assert any(supervisor.process.poll() for supervisor in supervisors)


def _let_connecting_take_statements(site: OwnSite) -> None:
    """Have Django set the time zone of each connection to PostgreSQL. On MariaDB it always has something to set."""
    if site.database.server.scheme == "postgres":
        site.database.change(f"ALTER DATABASE {site.database.name} SET timezone = 'Asia/Tokyo'")
