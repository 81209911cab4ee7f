"""A job of a kind that this code does not know, because newer code enqueued it."""

from jobs.runners import registry, unknown
from jobs.states import Ending
from tests.runners.claims import signed


def test_it_fails_the_attempt_with_a_reason_that_says_so():
    outcome = unknown.run(signed("true", kind="dream"), stop=None, watch=None, grace_seconds=1)  # type: ignore[arg-type]
    assert outcome.ending is Ending.FAILED
    assert outcome.error is not None
    assert "does not know jobs of the kind 'dream'" in outcome.error


def test_nothing_else_runs_such_a_job():
    assert "dream" not in registry.RUNNERS
