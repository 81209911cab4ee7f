"""What a failed attempt of a task says about the next one; the policies are those of the task itself."""

from typing import Any

import pytest

from jobs import queue
from jobs.models import Job
from jobs.outcome import Advice
from jobs.retry import POSTPONEMENTS_MAX
from jobs.states import Ending, State
from tests.clock import NOW
from tests.tasks import running, samples
from tests.tasks.running import claim_of

YEAR_SECONDS = 365 * 86_400.0


def _advice(name: str, *arguments: Any, **fields: Any) -> tuple[Ending, Advice, float | None]:
    outcome = running.run(claim_of(name, *arguments, **fields))
    return outcome.ending, outcome.advice, outcome.delay_seconds


# What a task raises.


@pytest.mark.parametrize(
    ("seconds", "delay"),
    [
        (30, 30),
        (0, 0),
        (0.25, 0.25),
        (-5, 0),
        (1e300, YEAR_SECONDS),
        (float("inf"), YEAR_SECONDS),
        (10**400, YEAR_SECONDS),
        (float("nan"), None),
        ("soon", None),
        (None, None),
        (True, None),
    ],
    ids=str,
)
def test_it_runs_later_when_the_task_asks_for_it(seconds: Any, delay: float | None, monkeypatch):
    monkeypatch.setattr(samples, "later_seconds", seconds)

    outcome = running.run(claim_of("run_later_as_said"))

    assert (outcome.ending, outcome.advice, outcome.delay_seconds) == (Ending.FAILED, Advice.LATER, delay)
    assert outcome.error == "RunLater: asked to be run again later"


def test_it_does_not_try_again_what_is_of_no_use():
    assert _advice("never_retry") == (Ending.FAILED, Advice.NEVER, None)


def test_it_cancels_a_task_that_cancels_itself():
    assert _advice("cancel_itself") == (Ending.CANCELLED, Advice.RETRY, None)


# What its policy says.


@pytest.mark.parametrize(
    ("answer", "advice", "delay"),
    [
        ("seconds", Advice.RETRY, 5),
        ("fraction", Advice.RETRY, 0.5),
        ("none", Advice.RETRY, None),
        ("true", Advice.RETRY, None),
        ("false", Advice.NEVER, None),
        ("negative", Advice.RETRY, 0),
        ("nan", Advice.RETRY, None),
        ("infinite", Advice.RETRY, YEAR_SECONDS),
        ("huge", Advice.RETRY, YEAR_SECONDS),
        ("text", Advice.RETRY, None),
    ],
)
def test_it_asks_the_policy_of_the_task(answer: str, advice: Advice, delay: float | None):
    assert _advice("ask_policy", answer) == (Ending.FAILED, advice, delay)


@pytest.mark.parametrize("answer", ["raises", "exits"])
def test_it_does_without_a_policy_that_fails(answer: str, caplog):
    assert _advice("ask_policy", answer) == (Ending.FAILED, Advice.RETRY, None)
    assert "the retry policy of tests.tasks.samples.ask_policy failed" in caplog.text


def test_the_policy_sees_the_exception_and_the_number_of_the_attempt():
    assert _advice("with_policy", False, attempt=3) == (Ending.FAILED, Advice.RETRY, 300.0)
    assert _advice("with_policy", True, attempt=3) == (Ending.FAILED, Advice.NEVER, None)


def test_what_a_task_raises_on_purpose_goes_before_its_policy():
    assert _advice("run_later_as_said")[1] is Advice.LATER


# What becomes of the job.


@pytest.mark.django_db
def test_running_later_spends_no_attempt_a_certain_number_of_times():
    samples.run_later.using(max_retries=0).enqueue(5)

    for _ in range(POSTPONEMENTS_MAX):
        running.attempt()
    job = Job.objects.get()
    assert (job.state, job.attempts, job.postponements) == (State.FAILED, 0, POSTPONEMENTS_MAX)
    running.attempt()

    assert Job.objects.get().state == State.DEAD


@pytest.mark.django_db
def test_it_waits_for_as_long_as_was_asked():
    samples.run_later.enqueue(1_000)

    outcome = running.attempt()

    assert (Job.objects.get().run_at - outcome.finished_at).total_seconds() == 1_000


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "state"), [("never_retry", State.DEAD), ("cancel_itself", State.CANCELLED), ("fail", State.FAILED)]
)
def test_the_job_ends_as_the_task_wants(name: str, state: State):
    getattr(samples, name).enqueue()

    running.attempt()

    assert Job.objects.get().state == state


@pytest.mark.django_db
def test_a_policy_does_not_give_more_attempts_than_there_are():
    queue.set_knob("max_retries", 1, now=NOW, by="tests")
    samples.ask_policy.enqueue("seconds")

    running.attempt()
    running.attempt()

    assert Job.objects.get().state == State.DEAD
