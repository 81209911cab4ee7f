"""P28: what a supervisor does while nothing happens, and what is left over of much that happened."""

import time
from pathlib import Path

import psutil

from tests.e2e.site import LONG_SECONDS, READY, Site, Supervisor
from tests.waiting import wait_until

IDLE_SECONDS = 3.0
# Of a supervisor: 15 on SQLite and 30 on PostgreSQL, more on MariaDB, which is polled. One that looked again and again
# would need 300 at least.
WAKE_UPS_PER_SECOND = 120
WAKE_UPS_OF_OTHERS = 10  # nursery and workers: none, but that they may not have gone to sleep yet
JOBS, JOBS_PER_WORKER, KILLED = 200, 20, 4


def _family(supervisor: Supervisor) -> list[psutil.Process]:
    parent = psutil.Process(supervisor.pid)
    return [parent, *parent.children(recursive=True)]


def _wake_ups(process: psutil.Process) -> int:
    """Return how often a thread of it went to sleep, to be woken later."""
    texts = [status.read_text() for status in Path(f"/proc/{process.pid}/task").glob("*/status")]
    lines = [line.split() for text in texts for line in text.splitlines()]
    return sum(int(words[1]) for words in lines if words and words[0] == "voluntary_ctxt_switches:")


def _descriptors(supervisor: Supervisor) -> list[int]:
    """Return how many files each of the processes has open."""
    return sorted(process.num_fds() for process in _family(supervisor))


def test_it_seldom_wakes_up_while_nothing_happens(site: Site) -> None:
    supervisor = site.start("--count", "2")
    site.enqueue({"id": "first", "command": "true"})
    site.wait_until_settled()
    family = _family(supervisor)
    before, since = [_wake_ups(process) for process in family], time.monotonic()

    time.sleep(IDLE_SECONDS)

    seconds = time.monotonic() - since
    after = [_wake_ups(process) for process in family]
    assert after[0] - before[0] <= WAKE_UPS_PER_SECOND * seconds
    assert sum(after[1:]) - sum(before[1:]) <= WAKE_UPS_OF_OTHERS


def test_it_has_no_more_files_open_after_many_jobs_and_replaced_workers(site: Site) -> None:
    supervisor = site.start("--count", "2", "--recycle-jobs", str(JOBS_PER_WORKER))
    site.enqueue({"id": "first", "command": "true"})
    site.wait_until_settled()
    before = _descriptors(supervisor)

    site.enqueue(
        *({"id": f"j{number}", "command": "echo hello"} for number in range(JOBS)),
        *({"id": f"k{number}", "command": "kill -9 $PPID", "max_retries": 0} for number in range(KILLED)),
    )
    site.wait_until_settled(timeout_seconds=2 * LONG_SECONDS)

    wait_until(lambda: len(supervisor.worker_pids()) == 2, LONG_SECONDS)
    assert site.states() == {"completed": JOBS + 1, "dead": KILLED}
    assert supervisor.said().count(READY) > 2 + KILLED, "no worker was replaced for its age"
    wait_until(lambda: _descriptors(supervisor) == before, LONG_SECONDS)
