"""What comes after an attempt: pure decisions, made from values alone. Called by `queue` when it records an outcome."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jobs.outcome import Advice, Claim, Outcome
from jobs.states import Ending, State

POSTPONEMENTS_MAX = 20  # exit 75 is free this often; with the default backoff that is ten hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The retry settings that hold for one queue. `jitter` is the share of the wait, 0 to 1, that is random."""

    max_retries: int
    backoff_base: float
    backoff_max_seconds: float
    jitter: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The next state of a job. `run_at` is None where it stays; `refund` is the number of attempts given back."""

    state: State
    run_at: datetime | None = None
    refund: int = 0
    postponed: int = 0


def delay_seconds(*, attempt: int, policy: Policy, chance: float) -> float:
    """Return the wait after failed attempt number `attempt`: `base ** attempt`, capped, plus its random share.

    `chance` is a random number in [0, 1). Jitter only ever adds, so a retry is never early.
    """
    try:
        wait = policy.backoff_base**attempt
    except OverflowError:
        wait = policy.backoff_max_seconds
    return min(wait, policy.backoff_max_seconds) * (1 + policy.jitter * chance)


def decide(*, claim: Claim, outcome: Outcome, policy: Policy, chance: float) -> Decision:
    """Return what becomes of a job whose attempt ended with `outcome`."""
    match outcome.ending:
        case Ending.COMPLETED:
            return Decision(state=State.COMPLETED)
        case Ending.CANCELLED:
            return Decision(state=State.CANCELLED)
        case Ending.RELEASED:
            return Decision(state=State.PENDING, refund=1)
    policy = own_policy(claim=claim, policy=policy)
    if outcome.advice is Advice.NEVER:
        return Decision(state=State.DEAD)
    if outcome.advice is Advice.LATER and claim.postponements < POSTPONEMENTS_MAX:
        wait = _wait_seconds(outcome, attempt=claim.postponements + 1, policy=policy, chance=chance)
        return Decision(state=State.FAILED, run_at=_after(outcome, wait), refund=1, postponed=1)
    if claim.attempt > policy.max_retries:
        return Decision(state=State.DEAD)
    if outcome.advice is Advice.AT_ONCE:
        return Decision(state=State.FAILED, run_at=outcome.finished_at)
    wait = _wait_seconds(outcome, attempt=claim.attempt, policy=policy, chance=chance)
    return Decision(state=State.FAILED, run_at=_after(outcome, wait))


def own_policy(*, claim: Claim, policy: Policy) -> Policy:
    """Return the settings that hold for one job: its own values, else those of its queue."""
    own = {name: getattr(claim, name) for name in ("max_retries", "backoff_base", "backoff_max_seconds")}
    return replace(policy, **{name: value for name, value in own.items() if value is not None})


def _wait_seconds(outcome: Outcome, *, attempt: int, policy: Policy, chance: float) -> float:
    if outcome.delay_seconds is not None:
        return outcome.delay_seconds
    return delay_seconds(attempt=attempt, policy=policy, chance=chance)


def _after(outcome: Outcome, seconds: float) -> datetime:
    return outcome.finished_at + timedelta(seconds=seconds)
