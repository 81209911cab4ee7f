"""What becomes of the jobs of a worker that died, or that was killed for one of them."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from jobs import worker
from jobs.outcome import Output
from jobs.states import Ending, Kind
from jobs.supervisor.desk import Running
from jobs.supervisor.pool import Handle, Held
from tests.clock import NOW
from tests.factories import make_claim

GRACE_SECONDS = 3.0


class ActingHandle(Handle):
    """A handle whose worker is not there."""

    def __init__(self, thread_count: int) -> None:
        self.process: Any = SimpleNamespace(exit_code=-9, kill=lambda: None)
        self.channel: Any = SimpleNamespace(send=lambda **_: None)
        self.options = worker.Options(thread_count=thread_count, grace_seconds=GRACE_SECONDS)
        self.pid = 4_001
        self.held = {}
        self._kill_reason = None
        self._overdue = []


@pytest.fixture
def handle() -> ActingHandle:
    """One with two threads, that run `slow` and `neighbour`; `waiting` waits behind them."""
    handle = ActingHandle(thread_count=2)
    timeouts = {"slow": 10.0, "neighbour": None, "waiting": None}
    handle.hand_over([make_claim(id=id_, kind=Kind.TASK, timeout_seconds=timeouts[id_]) for id_ in timeouts])
    return handle


def _kill_overdue(handle: Handle) -> None:
    handle.kill_if_overdue(time.monotonic() + 10 + GRACE_SECONDS + 1)


def _ends(handle: Handle) -> dict[str, tuple[Ending, str | None]]:
    ended, _ = handle.settle()
    return {end.claim.id: (end.outcome.ending, end.outcome.error) for end in ended if end.outcome is not None}


def test_it_gives_back_a_neighbour_of_a_job_that_had_to_be_ended(handle: Handle):
    _kill_overdue(handle)

    assert _ends(handle) == {
        "slow": (Ending.TIMED_OUT, "timed out, and its worker had to be killed"),
        "neighbour": (Ending.RELEASED, "its worker had to be killed to end slow"),
    }


def test_it_kills_nobody_before_the_timeout_and_the_grace_are_over(handle: Handle):
    handle.kill_if_overdue(time.monotonic() + 10 + GRACE_SECONDS)

    assert {ending for ending, _ in _ends(handle).values()} == {Ending.LOST, Ending.TIMED_OUT}


def test_it_puts_back_what_had_not_been_started(handle: Handle):
    _kill_overdue(handle)

    _, unstarted = handle.settle()

    assert [claim.id for claim in unstarted] == ["waiting"]
    assert not handle.held


def test_it_charges_all_that_run_when_a_worker_dies_by_itself():
    handle = ActingHandle(thread_count=2)
    handle.hand_over([make_claim(id=id_, kind=Kind.TASK) for id_ in ("first", "second", "waiting")])

    lost = (Ending.LOST, "its worker died: killed by signal 9 (SIGKILL)")
    assert _ends(handle) == {"first": lost, "second": lost}


def test_it_does_not_give_back_a_neighbour_that_is_overdue_as_well(handle: Handle):
    neighbour = handle.held["neighbour", 1]
    handle._kill_later(neighbour, 10, Ending.CANCELLED)

    _kill_overdue(handle)

    assert _ends(handle)["neighbour"] == (Ending.CANCELLED, "cancelled, and its worker had to be killed")


def test_it_gives_back_a_neighbour_that_still_had_time(handle: Handle):
    handle.end(("neighbour", 1), Ending.CANCELLED)
    held: Held = handle.held["neighbour", 1]
    held.kill_at = time.monotonic() + 3_600

    _kill_overdue(handle)

    assert _ends(handle)["neighbour"][0] is Ending.RELEASED


def test_it_keeps_what_the_worker_last_said_of_a_job(handle: Handle):
    output = Output(head="so far", progress=0.5)
    held = handle.held["neighbour", 1]
    held.running = Running(claim=held.claim, pid=4_001, started_at=NOW, output=output)
    _kill_overdue(handle)

    ended, _ = handle.settle()

    (outcome,) = [end.outcome for end in ended if end.claim.id == "neighbour"]
    assert outcome is not None
    assert (outcome.output, outcome.started_at, outcome.pid) == (output, NOW, 4_001)
