"""What comes after an attempt: the wait, and the next state."""

import pytest

from jobs import retry
from jobs.outcome import Advice
from jobs.retry import Decision, Policy
from jobs.states import Ending, State
from tests.clock import NOW, after
from tests.factories import make_claim, make_outcome

POLICY = Policy(max_retries=3, backoff_base=2.0, backoff_max_seconds=3_600.0, jitter=0.0)
HOUR_SECONDS = 3_600.0


def _policy(**changes) -> Policy:
    values = {"max_retries": 3, "backoff_base": 2.0, "backoff_max_seconds": HOUR_SECONDS, "jitter": 0.0}
    return Policy(**(values | changes))


def _delay(*, attempt: int, chance: float = 0.0, **changes) -> float:
    return retry.delay_seconds(attempt=attempt, policy=_policy(**changes), chance=chance)


def _decide(*, chance: float = 0.0, policy: Policy = POLICY, claim=None, **outcome) -> Decision:
    return retry.decide(claim=claim or make_claim(), outcome=make_outcome(**outcome), policy=policy, chance=chance)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 2), (2, 4), (3, 8), (11, 2_048)])
def test_it_waits_base_to_the_power_of_the_attempt(attempt: int, seconds: float):
    assert _delay(attempt=attempt) == seconds


def test_it_waits_no_longer_than_the_cap():
    assert _delay(attempt=12) == HOUR_SECONDS


@pytest.mark.parametrize("attempt", [1_024, 10**6, 10**18, 10**400])
@pytest.mark.parametrize("base", [1.5, 2.0, 1_000.0])
def test_it_survives_exponents_that_no_float_can_hold(base: float, attempt: int):
    assert _delay(attempt=attempt, backoff_base=base) == HOUR_SECONDS


def test_it_retries_at_once_with_a_base_of_zero():
    assert [_delay(attempt=n, backoff_base=0.0) for n in (1, 2, 10_000)] == [0, 0, 0]


def test_it_waits_ever_less_with_a_base_below_one():
    assert [_delay(attempt=n, backoff_base=0.5) for n in (1, 2, 3, 100_000)] == [0.5, 0.25, 0.125, 0]


def test_it_waits_a_second_each_time_with_a_base_of_one():
    assert [_delay(attempt=n, backoff_base=1.0) for n in (1, 2, 100_000)] == [1, 1, 1]


def test_it_does_not_wait_where_the_cap_is_zero():
    assert _delay(attempt=5, backoff_max_seconds=0.0) == 0


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.999_999])
@pytest.mark.parametrize("attempt", [1, 5, 50])
def test_it_is_never_early_for_jitter(attempt: int, chance: float):
    exact = _delay(attempt=attempt)
    assert exact <= _delay(attempt=attempt, jitter=0.5, chance=chance) <= exact * 1.5


def test_it_adds_the_random_share_of_the_wait():
    assert _delay(attempt=3, jitter=0.5, chance=0.5) == 8 * 1.25


def test_it_spreads_waits_that_the_cap_made_equal():
    assert _delay(attempt=50, jitter=0.2, chance=0.5) > HOUR_SECONDS


def test_it_completes_a_job_that_succeeded():
    assert _decide(ending=Ending.COMPLETED) == Decision(state=State.COMPLETED)


def test_it_cancels_a_job_that_was_stopped_by_a_person():
    assert _decide(ending=Ending.CANCELLED) == Decision(state=State.CANCELLED)


def test_it_gives_back_the_attempt_of_a_released_job():
    assert _decide(ending=Ending.RELEASED) == Decision(state=State.PENDING, refund=1)


@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.TIMED_OUT, Ending.LOST])
def test_it_retries_after_the_backoff_counted_from_the_end_of_the_attempt(ending: Ending):
    decision = _decide(ending=ending, claim=make_claim(attempt=2), finished_at=after(seconds=10))
    assert decision == Decision(state=State.FAILED, run_at=after(seconds=14))


def test_it_adds_jitter_to_the_time_of_the_retry():
    decision = _decide(ending=Ending.FAILED, policy=_policy(jitter=1.0), chance=0.5, finished_at=NOW)
    assert decision.run_at == after(seconds=3)


@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.TIMED_OUT, Ending.LOST])
def test_it_gives_up_after_the_first_attempt_and_all_retries(ending: Ending):
    assert _decide(ending=ending, claim=make_claim(attempt=3)).state is State.FAILED
    assert _decide(ending=ending, claim=make_claim(attempt=4)) == Decision(state=State.DEAD)


def test_it_gives_up_at_once_without_retries():
    assert _decide(ending=Ending.FAILED, policy=_policy(max_retries=0)).state is State.DEAD


@pytest.mark.parametrize(("own", "state"), [(0, State.DEAD), (1, State.FAILED), (None, State.FAILED)])
def test_it_prefers_the_retries_of_the_job_to_those_of_its_queue(own: int | None, state: State):
    assert _decide(ending=Ending.FAILED, claim=make_claim(max_retries=own)).state is state


def test_it_buries_a_job_that_must_never_be_retried():
    assert _decide(ending=Ending.FAILED, advice=Advice.NEVER) == Decision(state=State.DEAD)


def test_it_skips_the_backoff_for_a_job_whose_supervisor_died():
    decision = _decide(ending=Ending.LOST, advice=Advice.AT_ONCE, finished_at=after(seconds=9))
    assert decision == Decision(state=State.FAILED, run_at=after(seconds=9))


def test_it_gives_up_on_a_job_whose_supervisors_died_with_its_last_attempt():
    assert _decide(ending=Ending.LOST, advice=Advice.AT_ONCE, claim=make_claim(attempt=4)).state is State.DEAD


def test_it_postpones_at_no_charge():
    decision = _decide(ending=Ending.FAILED, advice=Advice.LATER, finished_at=NOW)
    assert decision == Decision(state=State.FAILED, run_at=after(seconds=2), refund=1, postponed=1)


def test_it_postpones_a_job_without_retries():
    decision = _decide(ending=Ending.FAILED, advice=Advice.LATER, claim=make_claim(max_retries=0))
    assert decision.state is State.FAILED


def test_it_waits_longer_with_each_postponement():
    decision = _decide(ending=Ending.FAILED, advice=Advice.LATER, claim=make_claim(postponements=3), finished_at=NOW)
    assert decision.run_at == after(seconds=16)


def test_it_charges_for_postponements_past_the_bound():
    claim = make_claim(postponements=retry.POSTPONEMENTS_MAX)
    decision = _decide(ending=Ending.FAILED, advice=Advice.LATER, claim=claim, finished_at=NOW)
    assert decision == Decision(state=State.FAILED, run_at=after(seconds=2))


def test_it_gives_up_on_a_job_that_only_ever_asks_for_later():
    claim = make_claim(postponements=retry.POSTPONEMENTS_MAX, attempt=4)
    assert _decide(ending=Ending.FAILED, advice=Advice.LATER, claim=claim) == Decision(state=State.DEAD)
