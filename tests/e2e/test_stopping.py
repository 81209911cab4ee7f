"""P11: stopping is graceful, bounded and free."""

import os
import signal
import time

import psutil

from jobs.supervisor.control import STOP_OVERTIME_SECONDS
from tests.e2e.site import Site, Supervisor
from tests.waiting import wait_until

BUSY_SECONDS = 3.0  # what a machine full of other tests may add to a promise

START = 'echo "S $QUEUECTL_JOB_ID" >> "$LEDGER"'


def _start_running(site: Site, *options: str, command: str, **environment: str) -> Supervisor:
    supervisor = site.start("--count", "1", *options, **environment)
    site.enqueue({"id": "j", "command": f"{START}; {command}"})
    wait_until(lambda: bool(site.lines("S")), timeout_seconds=10)
    return supervisor


def test_it_lets_a_short_job_finish_and_claims_nothing_new(site: Site) -> None:
    supervisor = _start_running(site, command="sleep 1")
    supervisor.signal(signal.SIGTERM)
    site.enqueue({"id": "late", "command": "true"})

    assert supervisor.wait() == 0
    assert site.job("j")["state"] == "completed"
    assert site.job("late")["state"] == "pending"
    assert site.job("late")["fence"] == 0


def test_it_releases_a_job_that_outlasts_the_grace_with_its_attempt_given_back(site: Site) -> None:
    supervisor = _start_running(site, "--grace", "1s", command="trap '' TERM; sleep 60; sleep 60")

    asked = time.monotonic()
    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait() == 0
    assert 1 <= time.monotonic() - asked < 6 + BUSY_SECONDS
    job = site.job("j")
    assert (job["state"], job["attempts"], job["supervisor_id"]) == ("pending", 0, None)
    assert [attempt["outcome"] for attempt in site.attempts("j")] == ["released"]
    assert not site.marked_processes()


def test_it_waits_for_a_job_that_is_long_in_being_ended(site: Site) -> None:
    seconds = str(int(STOP_OVERTIME_SECONDS + 2))
    command = "trap '' TERM; sleep 60; sleep 60"
    supervisor = _start_running(site, "--grace", "0s", command=command, JOBS_KILL_GRACE_SECONDS=seconds)

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait() == 0
    assert (site.job("j")["state"], site.job("j")["attempts"]) == ("pending", 0)
    assert not site.marked_processes()


def test_it_rests_while_it_stops_without_a_worker_that_died(site: Site) -> None:
    supervisor = site.start("--count", "2", "--grace", "60s")
    site.enqueue({"id": "j", "command": f"{START}; while ! test -e {site.home}/go; do sleep 0.1; done"})
    wait_until(lambda: bool(site.lines("S")), timeout_seconds=10)
    wait_until(lambda: bool(site.attempts("j")), timeout_seconds=10)
    supervisor.signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in supervisor.log(), timeout_seconds=10)
    command = psutil.Process(site.attempts("j")[0]["pid"])
    (idle,) = set(supervisor.worker_pids()) - {command.ppid()}
    os.kill(idle, signal.SIGKILL)
    wait_until(lambda: "worker died" in supervisor.log(), timeout_seconds=10)

    used = _processor_seconds(supervisor)
    time.sleep(2)  # a measurement: it would use up most of that, or half on a busy machine

    assert _processor_seconds(supervisor) - used < 0.2
    (site.home / "go").touch()
    assert supervisor.wait() == 0


def _processor_seconds(supervisor: Supervisor) -> float:
    times = psutil.Process(supervisor.pid).cpu_times()
    return times.user + times.system


def test_it_shortens_the_grace_on_a_second_signal(site: Site) -> None:
    supervisor = _start_running(site, "--grace", "60s", command="sleep 60")

    supervisor.signal(signal.SIGINT)
    wait_until(lambda: "stopping" in supervisor.log(), timeout_seconds=5)
    supervisor.signal(signal.SIGINT)

    assert supervisor.wait(timeout_seconds=5 + BUSY_SECONDS) == 0
    assert site.job("j")["state"] == "pending"


def test_it_ends_with_0_however_often_it_is_told_to_stop(site: Site) -> None:
    supervisor = site.start("--count", "1")

    while supervisor.process.poll() is None:
        supervisor.signal(signal.SIGTERM)
        time.sleep(0.001)  # a pace, for as long as it lives

    assert supervisor.wait() == 0
    assert supervisor.log().rstrip().endswith("stopped")


def test_it_releases_what_was_claimed_ahead(site: Site) -> None:
    supervisor = site.start("--count", "1", "--grace", "0s")
    quick = [{"id": f"quick{number}", "command": ["true"]} for number in range(60)]
    slow = [{"id": f"slow{number}", "command": ["sleep", "60"]} for number in range(20)]
    site.enqueue(*quick, *slow)
    wait_until(lambda: site.states().get("completed") == 60, timeout_seconds=20)

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait() == 0
    assert site.states() == {"completed": 60, "pending": 20}
    assert {row["attempts"] for row in site.rows("SELECT attempts FROM jobs_job WHERE state = 'pending'")} == {0}


def test_it_stops_when_the_whole_process_group_gets_the_signal(site: Site) -> None:
    supervisor = _start_running(site, command="sleep 1")

    os.killpg(supervisor.pid, signal.SIGTERM)

    assert supervisor.wait() == 0
    assert site.job("j")["state"] == "completed"


def test_it_stops_on_request_through_the_database(site: Site) -> None:
    supervisor = _start_running(site, command="sleep 1")

    site.ok("worker", "stop")

    assert supervisor.wait() == 0
    assert site.job("j")["state"] == "completed"


def test_it_leaves_no_process_behind(site: Site) -> None:
    supervisor = _start_running(site, command="sleep 0.5")
    family = psutil.Process(supervisor.pid).children(recursive=True)

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait() == 0
    wait_until(lambda: not any(process.is_running() for process in family), timeout_seconds=5)


def test_it_stops_before_its_workers_are_ready(site: Site) -> None:
    supervisor = site.start_unready("--count", "2")
    wait_until(lambda: "supervisor started" in supervisor.log(), timeout_seconds=10)

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait() == 0
