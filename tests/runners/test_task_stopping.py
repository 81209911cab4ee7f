"""A task that must end: it timed out, was cancelled, or its worker stops."""

import threading
from typing import Any

import pytest

from jobs.outcome import Claim, Outcome
from jobs.runners import Stop, task
from jobs.states import Ending
from tests.tasks import running
from tests.tasks.running import claim_of
from tests.waiting import wait_until

SIGNS = {Ending.CANCELLED: "Cancelled", Ending.RELEASED: "Released", Ending.TIMED_OUT: "TimedOut"}


class Attempt:
    """A task in a thread of its own, which shows what it prints, and can be asked to end."""

    def __init__(self, claim: Claim) -> None:
        self.stop = Stop()
        self.shown: list[Any] = []
        self._claim = claim
        self._outcome: Outcome | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._outcome = task.run(self._claim, stop=self.stop, watch=self._watch, grace_seconds=1.0)

    def _watch(self, pid: int, output: object) -> None:
        self.shown.append((pid, output))

    def outcome(self) -> Outcome:
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.stop.close()
        assert self._outcome is not None
        return self._outcome


@pytest.mark.parametrize("name", ["spin", "wait", "wait_until_asked"])
def test_it_times_out(name: str):
    arguments = [] if name == "wait_until_asked" else [60]

    outcome = running.run(claim_of(name, *arguments, timeout_seconds=0.05))

    assert (outcome.ending, outcome.error) == (Ending.TIMED_OUT, "timed out after 0.05 s")
    assert outcome.exception_class == "jobs.tasks.signs.TimedOut"
    assert 0.05 <= outcome.run_seconds < 5


@pytest.mark.parametrize("name", ["spin", "wait"])
@pytest.mark.parametrize("ending", [Ending.CANCELLED, Ending.RELEASED])
def test_it_is_cancelled_and_released(name: str, ending: Ending):
    attempt = Attempt(claim_of(name, 60))
    wait_until(lambda: bool(attempt.shown))

    attempt.stop.ask(ending)

    outcome = attempt.outcome()
    assert (outcome.ending, outcome.error) == (ending, None)
    assert outcome.exception_class == f"jobs.tasks.signs.{SIGNS[ending]}"


@pytest.mark.parametrize(("name", "words"), [("spin", "ended by TimedOut\n"), ("wait_and_clean_up", "cleaned up\n")])
def test_it_has_time_to_clean_up(name: str, words: str):
    with running.recorded():
        outcome = running.run(claim_of(name, 60, timeout_seconds=0.05))

    assert (outcome.ending, outcome.output.head) == (Ending.TIMED_OUT, words)


def test_a_task_that_ends_in_time_is_left_alone():
    for _ in range(50):
        outcome = running.run(claim_of("add", 1, timeout_seconds=0.5))
        assert outcome.ending is Ending.COMPLETED


@pytest.mark.parametrize("name", ["spin", "wait"])
def test_an_end_at_any_moment_ends_the_attempt_and_disturbs_no_other(name: str):
    """The shortest timeouts come while the attempt is only being prepared, or is over already."""
    for number in range(60):
        outcome = running.run(claim_of(name, 0.002, timeout_seconds=number * 0.0001 + 0.00001))
        assert outcome.ending in (Ending.TIMED_OUT, Ending.COMPLETED)
        assert running.run(claim_of("add", number)).return_value == str(number)


def test_it_shows_what_is_printed_while_it_runs():
    with running.recorded():
        attempt = Attempt(claim_of("say_and_spin", 60))
        wait_until(lambda: bool(attempt.shown))
        attempt.stop.ask(Ending.CANCELLED)
        attempt.outcome()

    assert attempt.shown[0][1].progress == 0.4
    assert attempt.shown[0][1].progress_message == "two of five"
