"""The queue obeys its rules in every story that Hypothesis tells: the same steps on the tables and on a model."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from jobs import queue, retry
from jobs.models import Job
from jobs.queue import _config, _people, _turn, _undo
from jobs.states import FINAL, State
from tests.model.machine import POSTPONEMENTS_MAX, QueueMachine

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))  # 0: the same sixty stories in every run
STORIES = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=50,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    print_blob=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def few_postponements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "POSTPONEMENTS_MAX", POSTPONEMENTS_MAX)


def test_it_does_as_its_model_does():
    run_state_machine_as_test(QueueMachine, settings=STORIES)


def _backoff_of_the_attempt_before(monkeypatch: pytest.MonkeyPatch) -> None:
    right = retry.delay_seconds

    def early(*, attempt: int, **others: Any) -> float:
        return right(attempt=attempt - 1, **others)

    monkeypatch.setattr(retry, "delay_seconds", early)


def _ends_by_id_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the end of a claim whatever became of the job meanwhile, as a queue without fences does."""
    right = _turn._finish

    def unfenced(end: queue.Ended, **others: Any) -> Any:
        job = Job.objects.filter(pk=end.claim.id).first()
        finish = right(end, **others)
        return finish._replace(fence=job.fence, supervisor_id=job.supervisor_id or 0) if job else finish

    monkeypatch.setattr(_turn, "_finish", unfenced)


def _claims_from_paused_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_config.Policies, "is_paused", lambda _self, _queue: False)


def _a_requeue_that_forgives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def requeue(jobs: Any, now: Any) -> int:
        return int(jobs.update(state=State.PENDING, run_at=now, finished_at=None, cancel_requested_at=None))

    monkeypatch.setattr(_people, "REQUEUE", _people.Verb(states=FINAL, change=requeue, refusal=""))


def _a_release_that_costs_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    right = _turn._finish
    monkeypatch.setattr(_turn, "_finish", lambda end, **others: right(end, **others)._replace(refund=0))


def _a_cancel_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    right = _turn._finish

    def deaf(end: queue.Ended, **others: Any) -> Any:
        finish = right(end, **others)
        return finish._replace(state_if_cancelled=finish.state)

    monkeypatch.setattr(_turn, "_finish", deaf)


def _an_undo_that_forgets_what_was_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_undo, "RESTORED", tuple(name for name in _undo.RESTORED if name != "attempts"))


MISTAKES = [
    _backoff_of_the_attempt_before,
    _ends_by_id_alone,
    _claims_from_paused_queues,
    _a_requeue_that_forgives_nothing,
    _a_release_that_costs_an_attempt,
    _a_cancel_that_is_forgotten,
    _an_undo_that_forgets_what_was_spent,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__[1:])
def test_it_finds_a_mistake(mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch):
    """With the rule broken the stories reach it, and the model or a constraint of the database minds."""
    mistake(monkeypatch)
    with pytest.raises((AssertionError, IntegrityError)):
        run_state_machine_as_test(QueueMachine, settings=settings(STORIES, phases=[Phase.generate]))
