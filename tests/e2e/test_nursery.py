"""The process that forks the workers: what it holds, what it survives, and what becomes of the workers when it dies."""

import os
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest

from jobs.supervisor.team import RESTART_SECONDS
from tests.e2e.site import READY, Site, Supervisor
from tests.waiting import wait_until

MARK_START = 'echo "S $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $QUEUECTL_FENCE" >> "$LEDGER"'


def _nursery(supervisor: Supervisor) -> psutil.Process:
    (nursery,) = psutil.Process(supervisor.pid).children()
    return nursery


def _descendants(supervisor: Supervisor) -> list[psutil.Process]:
    return psutil.Process(supervisor.pid).children(recursive=True)


def _are_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_it_has_one_thread_and_no_connection(site: Site) -> None:
    nursery = _nursery(site.start("--count", "2"))

    assert nursery.num_threads() == 1
    assert not nursery.net_connections("inet")
    files = [str(path.readlink()) for path in Path(f"/proc/{nursery.pid}/fd").iterdir()]
    assert not [name for name in files if "queue.sqlite3" in name]


def test_it_shares_what_was_loaded(site: Site) -> None:
    supervisor = site.start("--count", "2")

    for process in _descendants(supervisor):
        memory = process.memory_full_info()
        assert memory.uss < memory.rss / 4


def test_no_worker_holds_what_belongs_to_another(site: Site) -> None:
    supervisor = site.start("--count", "3")

    pipes = Counter(
        name
        for process in _descendants(supervisor)
        for name in {str(path.readlink()) for path in Path(f"/proc/{process.pid}/fd").iterdir()}
        if name.startswith(("socket:", "pipe:"))
    )

    assert pipes
    assert set(pipes.values()) == {1}


def test_all_end_when_the_supervisor_is_killed(site: Site) -> None:
    supervisor = site.start("--count", "3")
    site.enqueue({"id": "j", "command": f"{MARK_START}; sleep 300"})
    wait_until(lambda: len(site.lines("S")) == 1, timeout_seconds=10)
    family = _descendants(supervisor)
    assert len(family) >= 1 + 3 + 1

    supervisor.signal(signal.SIGKILL)

    wait_until(lambda: _are_gone(family), timeout_seconds=5)
    assert not site.marked_processes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_survives_a_signal_to_its_group(site: Site, number: signal.Signals) -> None:
    supervisor = site.start("--count", "1")
    nursery = _nursery(supervisor)

    nursery.send_signal(number)
    os.kill(supervisor.worker_pids()[0], signal.SIGKILL)

    wait_until(lambda: supervisor.said().count(READY) == 2, timeout_seconds=10)
    assert _nursery(supervisor) == nursery


def test_no_job_is_lost_or_run_twice_when_it_is_killed(site: Site) -> None:
    site.ok("config", "set", "backoff-base", "0.2")
    supervisor = site.start("--count", "2")
    long = f"{MARK_START}; if [ $QUEUECTL_ATTEMPT = 1 ]; then sleep 300; fi"
    site.enqueue(*({"id": f"long{number}", "command": long} for number in range(2)))
    wait_until(lambda: len(site.lines("S")) == 2, timeout_seconds=10)
    site.enqueue(*({"id": f"quick{number}", "command": MARK_START} for number in range(20)))
    workers, nursery = supervisor.worker_pids(), _nursery(supervisor)

    nursery.kill()
    site.wait_until_settled()

    assert site.states() == {"completed": 22}
    assert set(Counter((id_, fence) for _, id_, _, fence in site.lines("S")).values()) == {1}
    for number in range(2):
        attempts = site.attempts(f"long{number}")
        assert [attempt["outcome"] for attempt in attempts] == ["lost", "completed"]
        assert attempts[0]["error"] == "its worker was killed, because the process that had started it died"
    assert not any(psutil.pid_exists(pid) for pid in (*workers, nursery.pid))
    wait_until(lambda: len(supervisor.worker_pids()) == 2, timeout_seconds=10)
    supervisor.signal(signal.SIGTERM)
    assert supervisor.wait() == 0


def test_many_workers_that_die_with_it_are_replaced_without_a_pause(site: Site) -> None:
    supervisor = site.start("--count", "8")

    _nursery(supervisor).kill()

    wait_until(lambda: supervisor.said().count(READY) == 16, timeout_seconds=RESTART_SECONDS[1] - 1)


def test_workers_of_another_nursery_follow_the_supervisor_too(site: Site) -> None:
    supervisor = site.start("--count", "3")
    _nursery(supervisor).kill()
    wait_until(lambda: supervisor.said().count(READY) == 6, timeout_seconds=20)
    family = _descendants(supervisor)
    assert len(family) == 1 + 3

    supervisor.signal(signal.SIGKILL)

    wait_until(lambda: _are_gone(family), timeout_seconds=5)


def test_a_frozen_worker_of_a_dead_supervisor_is_killed_before_its_job_starts_again(site: Site) -> None:
    first = site.start("--count", "1")
    site.enqueue({"id": "j", "command": f"{MARK_START}; if [ $QUEUECTL_ATTEMPT = 1 ]; then sleep 300; fi"})
    wait_until(lambda: len(site.lines("S")) == 1, timeout_seconds=10)
    (worker,) = first.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    first.signal(signal.SIGKILL)
    first.wait()

    site.start("--count", "1")

    site.wait_for_state("j", "completed")
    assert not first.worker_pids()
    assert site.attempts("j")[0]["outcome"] == "lost"
