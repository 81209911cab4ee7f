"""States: the table of transitions, and that the public functions of `queue` obey it to the letter."""

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from jobs import queue
from jobs.errors import WrongState
from jobs.models import Job
from jobs.outcome import Advice
from jobs.states import DEFERRED, FINAL, TRANSITIONS, WAITING, Ending, State
from tests.clock import NOW, after
from tests.factories import make_claim, make_job, make_outcome, make_supervisor
from tests.queue import turns

LATER, EVEN_LATER = after(seconds=3_600), after(seconds=7_200)


def test_it_has_a_row_for_every_state():
    assert set(TRANSITIONS) == set(State)


def test_it_can_always_go_on():
    assert all(TRANSITIONS.values())
    assert all(state not in followers for state, followers in TRANSITIONS.items())


def test_it_puts_every_state_into_one_set_or_calls_it_processing():
    assert WAITING | FINAL | {State.PROCESSING} == set(State)
    assert not WAITING & FINAL
    assert WAITING >= DEFERRED


def test_it_does_not_count_failed_among_the_final_states():
    assert State.FAILED not in FINAL
    assert State.DEAD in FINAL


def test_it_can_cancel_exactly_what_waits_or_runs():
    cancellable = {state for state, followers in TRANSITIONS.items() if State.CANCELLED in followers}
    assert cancellable == WAITING | {State.PROCESSING}


def test_it_promotes_exactly_what_is_deferred():
    assert all(State.PENDING in TRANSITIONS[state] for state in DEFERRED)


def test_it_requeues_exactly_what_is_final():
    assert all(TRANSITIONS[state] == {State.PENDING, State.SCHEDULED} for state in FINAL)


@pytest.mark.parametrize("names", [State, Ending])
def test_it_stores_names_that_fit_the_column(names):
    assert all(len(value) <= 16 for value in names.values)


def _record(job: Job, **outcome: Any) -> None:
    turns.record(make_claim(job=job), outcome=make_outcome(**outcome), now=LATER)


def _give_back(job: Job) -> None:
    turns.record(make_claim(job=job), outcome=None, now=LATER)


def _claim(job: Job) -> None:
    turns.claim(make_supervisor(), now=LATER)


def _cancel_and_end(job: Job) -> None:
    queue.cancel([job.pk], now=LATER)
    _record(job, ending=Ending.FAILED)


def _put_off(job: Job) -> None:
    if job.state in DEFERRED:
        return  # only its time changes
    with contextlib.suppress(WrongState):
        queue.change_settings(job.pk, fields={"run_at": EVEN_LATER}, fence=job.fence, now=LATER)


def _make_due(job: Job) -> None:
    with contextlib.suppress(WrongState):
        queue.change_settings(job.pk, fields={"run_at": None}, fence=job.fence, now=LATER)


def _change_and_requeue(job: Job, run_at: datetime | None) -> None:
    with contextlib.suppress(WrongState):
        queue.change_and_requeue(job.pk, fields={"run_at": run_at}, fence=job.fence, now=LATER)


def _rescue(job: Job) -> None:
    if job.supervisor is not None:
        queue.rescue(supervisor=job.supervisor, now=LATER)


# Everything that can bring a job into a state.
WAYS: dict[State, dict[str, Callable[[Job], object]]] = {
    State.SCHEDULED: {
        "put off": _put_off,
        "requeue for later": lambda job: _change_and_requeue(job, EVEN_LATER),
    },
    State.PENDING: {
        "promote": lambda job: queue.promote(now=LATER),
        "run now": lambda job: queue.run_now([job.pk], now=LATER),
        "run all now": lambda job: list(queue.apply_to_all(queue.RUN_NOW, Job.objects.all(), now=LATER)),
        "requeue": lambda job: queue.requeue([job.pk], now=LATER),
        "retry_dead": lambda job: queue.retry_dead([job.pk], now=LATER),
        "requeue all": lambda job: list(queue.apply_to_all(queue.REQUEUE, Job.objects.all(), now=LATER)),
        "retry all": lambda job: list(queue.apply_to_all(queue.RETRY_DEAD, Job.objects.all(), now=LATER)),
        "make due": _make_due,
        "change and requeue": lambda job: _change_and_requeue(job, None),
        "release": lambda job: _record(job, ending=Ending.RELEASED),
        "give back": _give_back,
    },
    State.PROCESSING: {"claim": _claim},
    State.COMPLETED: {"complete": lambda job: _record(job, ending=Ending.COMPLETED)},
    State.FAILED: {
        "fail": lambda job: _record(job, ending=Ending.FAILED),
        "postpone": lambda job: _record(job, ending=Ending.FAILED, advice=Advice.LATER),
        "rescue": _rescue,
    },
    State.DEAD: {"fail for good": lambda job: _record(job, ending=Ending.FAILED, advice=Advice.NEVER)},
    State.CANCELLED: {
        "cancel": _cancel_and_end,
        "cancel all": lambda job: list(queue.apply_to_all(queue.CANCEL, Job.objects.all(), now=LATER)),
        "end as cancelled": lambda job: _record(job, ending=Ending.CANCELLED),
    },
}
PAIRS = [(before, then) for before in State for then in State]


def _outcomes(before: State, then: State) -> dict[str, tuple[str, bool]]:
    """Try every way to `then` on a job in `before`; return the state each led to, and whether it changed the row."""
    found = {}
    for name, way in WAYS[then].items():
        job = make_job(id=name, state=before, run_at=NOW)
        row = Job.objects.filter(pk=name).values().get()
        way(job)
        after_row = Job.objects.filter(pk=name).values().get()
        found[name] = (after_row["state"], after_row != row)
        Job.objects.filter(pk=name).delete()
    return found


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "then"), [pair for pair in PAIRS if pair[1] in TRANSITIONS[pair[0]]])
def test_it_makes_every_transition_of_the_table(before: State, then: State):
    assert then in {state for state, _ in _outcomes(before, then).values()}


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "then"), [pair for pair in PAIRS if pair[1] not in TRANSITIONS[pair[0]]])
def test_it_makes_no_other_transition_and_leaves_the_job_as_it_is(before: State, then: State):
    assert set(_outcomes(before, then).values()) <= {(before, False)}


@pytest.mark.django_db
@pytest.mark.parametrize("before", State)
def test_it_follows_the_table_whatever_is_tried(before: State):
    for then in State:
        for name, (state, _) in _outcomes(before, then).items():
            assert state == before or State(state) in TRANSITIONS[before], f"{name} led from {before} to {state}"
