"""P20: the clock is set while jobs run, for supervisors, workers and whoever enqueues; the monotonic clock goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos import clocks
from tests.chaos.clocks import WrongClock
from tests.e2e.site import LONG_SECONDS, Site
from tests.waiting import wait_until

# What a job asks for the time: the kernel's time since the boot, which no clock that is set can change.
START = 'echo "S $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $(cut -d " " -f 1 /proc/uptime)" >> "$LEDGER"'
END = 'echo "E $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $(cut -d " " -f 1 /proc/uptime)" >> "$LEDGER"'
BACKOFF_SECONDS = 2.0
LATE_SECONDS = 15.0  # on a busy machine
TICK_SECONDS = 0.02  # of /proc/uptime, twice
NEIGHBOURS = 8


@pytest.fixture
def clock(tmp_path: Path) -> WrongClock:
    if missing := clocks.missing():
        pytest.skip(f"not tested: this machine lacks {missing}")
    return WrongClock(tmp_path)


@pytest.mark.parametrize("jump_seconds", [86_400, -3_600], ids=["a day ahead", "an hour back"])
def test_it_retries_when_it_should_and_runs_nothing_twice(
    jump_seconds: int, make_site: Callable[..., Site], clock: WrongClock
) -> None:
    site = make_site(**clock.environment)
    gate = site.home / "gate"
    supervisors = [site.start() for _ in range(2)]
    wait = f'until [ -e "{gate}" ]; do sleep 0.02; done'
    backoff = {"max_retries": 1, "backoff_base": BACKOFF_SECONDS}
    neighbours = [{"id": f"n{number}", "command": f"{START}; {END}"} for number in range(NEIGHBOURS)]
    site.enqueue({"id": "again", "command": f"{START}; {wait}; {END}; [ $QUEUECTL_ATTEMPT = 2 ]", **backoff})
    site.enqueue({"id": "long", "command": f"{START}; {wait}; {END}"})
    wait_until(lambda: len(site.lines("S")) == 2, LONG_SECONDS)
    site.enqueue(*neighbours[::2])

    clock.shift(jump_seconds)
    site.enqueue(*neighbours[1::2])
    gate.touch()
    site.wait_until_settled()

    ids = {"again", "long", *(job["id"] for job in neighbours)}
    assert site.states() == {"completed": len(ids)}
    runs = sorted((id_, attempt) for _, id_, attempt, _ in site.lines("S"))
    assert runs == sorted([("again", "2"), *((id_, "1") for id_ in ids)])
    (ended,) = (float(at) for _, id_, attempt, at in site.lines("E") if (id_, attempt) == ("again", "1"))
    (begun,) = (float(at) for _, id_, attempt, at in site.lines("S") if (id_, attempt) == ("again", "2"))
    assert BACKOFF_SECONDS - TICK_SECONDS <= begun - ended < BACKOFF_SECONDS + LATE_SECONDS
    for supervisor in supervisors:
        assert supervisor.process.poll() is None
        assert "lease" not in supervisor.log()
        assert "Traceback" not in supervisor.log()
    site.database.check()
