"""P7, P8, P9, P10, P12: what survives the death, or the sleep, of a worker or a supervisor."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.e2e.site import Site
from tests.waiting import wait_until

BUSY_SECONDS = 3.0  # what a machine full of other tests may add to a promise

MARK_START = 'echo "S $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $QUEUECTL_FENCE" >> "$LEDGER"'
DAEMONS = "sleep 300 & setsid sleep 301 & (setsid sh -c 'sleep 302 & exec sleep 303' &)"


def test_it_runs_the_next_attempt_within_two_seconds_of_a_supervisors_death(site: Site) -> None:
    first = site.start("--count", "1")
    site.enqueue({"id": "j", "command": f"{MARK_START}; if [ $QUEUECTL_ATTEMPT = 1 ]; then sleep 60; fi"})
    wait_until(lambda: len(site.lines("S")) == 1, timeout_seconds=10)
    site.start("--count", "1")

    killed = time.monotonic()
    first.signal(signal.SIGKILL)
    wait_until(lambda: len(site.lines("S")) == 2, timeout_seconds=10)

    assert time.monotonic() - killed < 2 + BUSY_SECONDS
    job = site.wait_for_state("j", "completed")
    assert (job["attempts"], job["fence"]) == (2, 2)
    assert [attempt["outcome"] for attempt in site.attempts("j")] == ["lost", "completed"]


def test_it_ends_all_processes_of_a_job_when_its_supervisor_is_killed(site: Site) -> None:
    supervisor = site.start("--count", "1")
    site.enqueue({"id": "j", "command": f"{DAEMONS}; {MARK_START}; sleep 304"})
    wait_until(lambda: len(site.lines("S")) == 1, timeout_seconds=10)
    assert len(site.marked_processes()) >= 5

    supervisor.signal(signal.SIGKILL)

    wait_until(lambda: not site.marked_processes(), timeout_seconds=5)
    wait_until(lambda: not supervisor.worker_pids(), timeout_seconds=5)


def test_it_ends_all_processes_of_a_job_when_its_worker_is_killed(site: Site) -> None:
    supervisor = site.start("--count", "1")
    site.enqueue({"id": "j", "command": f"{DAEMONS}; {MARK_START}; sleep 304", "max_retries": 0})
    wait_until(lambda: len(site.lines("S")) == 1, timeout_seconds=10)

    os.kill(supervisor.worker_pids()[0], signal.SIGKILL)

    wait_until(lambda: not site.marked_processes(), timeout_seconds=5)
    job = site.wait_for_state("j", "dead", timeout_seconds=5)
    assert job["error"] == "its worker died: killed by signal 9 (SIGKILL)"
    wait_until(lambda: len(supervisor.worker_pids()) == 1, timeout_seconds=10)


def test_it_ends_what_is_left_when_supervisor_and_worker_die_together(site: Site) -> None:
    first = site.start("--count", "1")
    site.enqueue({"id": "j", "command": f"{DAEMONS}; {MARK_START}; sleep 304", "max_retries": 0})
    wait_until(lambda: len(site.lines("S")) == 1, timeout_seconds=10)
    worker = first.worker_pids()[0]
    first.signal(signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    first.signal(signal.SIGKILL)
    assert site.marked_processes()

    site.start("--count", "1")

    wait_until(lambda: not site.marked_processes(), timeout_seconds=5)
    assert site.wait_for_state("j", "dead")["outcome"] == "lost"


@pytest.mark.parametrize(
    ("poison", "death"),
    [
        ("kill -KILL $PPID", "its worker died: killed by signal 9 (SIGKILL)"),  # as the kernel does without memory
        ("kill -SEGV $PPID", "its worker died: killed by signal 11 (SIGSEGV)"),
    ],
)
def test_it_sends_a_poison_job_to_the_dlq_and_completes_its_neighbours(site: Site, poison: str, death: str) -> None:
    site.ok("config", "set", "backoff-base", "0.2")
    site.enqueue(
        {"id": "poison", "command": f"{MARK_START}; {poison}; sleep 60", "max_retries": 2, "priority": 50},
        *({"id": f"n{number}", "command": MARK_START, "max_retries": 0} for number in range(50)),
    )
    site.start("--count", "2")

    site.wait_until_settled()

    assert site.states() == {"completed": 50, "dead": 1}
    assert site.job("poison")["error"] == death
    assert [line[2] for line in site.lines("S") if line[1] == "poison"] == ["1", "2", "3"]


def test_it_changes_nothing_after_waking_up_past_its_lease(make_site: Callable[..., Site]) -> None:
    site = make_site(JOBS_LEASE_SECONDS="2")
    frozen = site.start("--count", "1")
    command = f'{MARK_START}; if [ $QUEUECTL_ATTEMPT = 1 ]; then sleep 61; echo "E 1" >> "$LEDGER"; fi'
    site.enqueue({"id": "j", "command": command})
    wait_until(lambda: len(site.lines("S")) == 1, timeout_seconds=10)
    frozen.signal(signal.SIGSTOP)
    site.start("--count", "1")
    job = site.wait_for_state("j", "completed")

    frozen.signal(signal.SIGCONT)

    wait_until(lambda: "lease lost" in frozen.log(), timeout_seconds=10)
    wait_until(lambda: not site.marked_processes(), timeout_seconds=5)
    assert tuple(site.job("j")) == tuple(job)
    assert not site.lines("E")
    site.enqueue({"id": "after", "command": "true"})
    site.wait_for_state("after", "completed")
    frozen.signal(signal.SIGTERM)
    assert frozen.wait() == 0


def test_it_starts_a_long_job_once(make_site: Callable[..., Site]) -> None:
    site = make_site(JOBS_LEASE_SECONDS="1")
    site.start("--count", "2")
    site.start("--count", "1")
    site.enqueue({"id": "long", "command": f"{MARK_START}; sleep 6"})

    site.wait_for_state("long", "completed")

    assert len(site.lines("S")) == 1


def test_it_starts_no_claim_twice_when_a_worker_dies_with_ends_that_nobody_read(site: Site) -> None:
    supervisor = site.start("--count", "1")
    site.enqueue(*({"id": f"quick{number}", "command": "true"} for number in range(100)))  # so it claims ahead
    site.wait_until_settled()
    loud = f"{MARK_START}; head -c 200000 /dev/zero"  # the ends of two of these are more than a socket takes
    site.enqueue(*({"id": f"loud{number}", "command": loud} for number in range(20)))
    wait_until(lambda: bool(site.lines("S")), timeout_seconds=10)

    supervisor.signal(signal.SIGSTOP)
    time.sleep(1)  # whatever the worker starts without being heard, it has started by then
    (worker,) = supervisor.worker_pids()
    os.kill(worker, signal.SIGKILL)
    supervisor.signal(signal.SIGCONT)
    site.wait_until_settled()

    starts = Counter((id_, fence) for _, id_, _, fence in site.lines("S"))
    assert set(starts.values()) == {1}
    assert len({id_ for id_, _ in starts}) == 20
