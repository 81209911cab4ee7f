"""The fence: whoever comes late with an end changes nothing, whatever became of the job meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest

from jobs import queue
from jobs.models import Attempt, Job
from jobs.outcome import Advice, Claim, Output
from jobs.states import Ending, State
from tests.clock import NOW, after
from tests.factories import make_claim, make_job, make_new_job, make_outcome, make_supervisor
from tests.queue import turns
from tests.queue.racing import interrupted

pytestmark = pytest.mark.django_db

NEVER = make_outcome(ending=Ending.FAILED, advice=Advice.NEVER)


def _rescue(claim: Claim) -> None:
    supervisor = Job.objects.get(pk=claim.id).supervisor
    assert supervisor is not None
    queue.mark_lost(supervisor_id=supervisor.pk, beats=supervisor.beats, now=NOW)
    queue.rescue(supervisor=supervisor, now=NOW)


def _rescue_and_run_elsewhere(claim: Claim) -> None:
    _rescue(claim)
    queue.promote(now=NOW)
    turns.claim(make_supervisor())


def _complete_elsewhere(claim: Claim) -> None:
    _rescue_and_run_elsewhere(claim)
    turns.record(_current_claim(claim), outcome=make_outcome())


def _current_claim(claim: Claim) -> Claim:
    return make_claim(job=Job.objects.get(pk=claim.id))


def _release(claim: Claim) -> None:
    turns.record(claim, outcome=None)


def _release_and_claim(claim: Claim) -> None:
    _release(claim)
    turns.claim(make_supervisor())


def _die(claim: Claim) -> None:
    turns.record(claim, outcome=NEVER)


def _requeue(claim: Claim) -> None:
    _die(claim)
    queue.requeue([claim.id], now=NOW)


def _requeue_and_claim(claim: Claim) -> None:
    _requeue(claim)
    turns.claim(make_supervisor())


def _delete(claim: Claim) -> None:
    _die(claim)
    queue.delete([claim.id], now=NOW)


def _delete_and_enqueue(claim: Claim) -> None:
    _delete(claim)
    queue.enqueue(make_new_job(id=claim.id), now=NOW)


def _delete_enqueue_and_claim(claim: Claim) -> None:
    _delete_and_enqueue(claim)
    turns.claim(make_supervisor())


MEANWHILE = [
    _release,
    _release_and_claim,
    _rescue,
    _rescue_and_run_elsewhere,
    _complete_elsewhere,
    _die,
    _requeue,
    _requeue_and_claim,
    _delete,
    _delete_and_enqueue,
    _delete_enqueue_and_claim,
]
LATE = {
    "completed": make_outcome(output=Output(head="late")),
    "failed": make_outcome(ending=Ending.FAILED, output=Output(head="late")),
    "released": make_outcome(ending=Ending.RELEASED, output=Output(head="late")),
    "given back": None,
}


def _everything() -> list[Any]:
    return [*Job.objects.order_by("pk").values(), *Attempt.objects.order_by("pk").values()]


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=lambda each: each.__name__[1:])
def test_it_drops_the_end_of_a_claim_that_is_over(meanwhile: Callable[[Claim], None], late: str):
    make_job()
    claim = turns.claim_one(make_supervisor())
    meanwhile(claim)
    before = _everything()

    assert turns.record(claim, outcome=LATE[late]) == []

    assert _everything() == before


@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=lambda each: each.__name__[1:])
def test_it_does_not_show_the_run_of_a_claim_that_is_over(meanwhile: Callable[[Claim], None]):
    make_job()
    claim = turns.claim_one(make_supervisor())
    meanwhile(claim)
    before = _everything()

    output = Output(head="late")
    assert not queue.note_running(claim, pid=1, started_at=after(seconds=9), output=output, host="late")

    assert _everything() == before


def test_it_drops_the_second_of_two_ends():
    make_job()
    claim = turns.claim_one(make_supervisor())
    turns.record(claim, outcome=make_outcome())
    assert turns.record(claim, outcome=NEVER) == []
    assert Job.objects.get().state == State.COMPLETED


def test_it_drops_the_late_ones_of_a_batch_and_no_others():
    for id_ in ("a", "b", "c"):
        make_job(id=id_)
    claims = turns.claim(make_supervisor())
    turns.record(claims[1], outcome=NEVER)
    recorded = turns.record(*claims, outcome=make_outcome())
    assert [item.claim.id for item in recorded] == ["a", "c"]
    assert Attempt.objects.filter(job="b").count() == 1


def test_it_never_lowers_the_fence():
    make_job()
    fences = []
    for _ in range(3):
        turns.record(turns.claim_one(make_supervisor()), outcome=None)
        turns.record(turns.claim_one(make_supervisor()), outcome=NEVER)
        queue.requeue(["job1"], now=NOW)
        fences.append(Job.objects.get().fence)
    assert fences == [2, 4, 6]


@pytest.mark.django_db(transaction=True)
def test_it_does_not_show_as_running_what_is_rescued_at_that_moment():
    make_job()
    claim = turns.claim_one(make_supervisor())

    with interrupted(before="INSERT INTO jobs_attempt", by=lambda: _rescue(claim)):
        queue.note_running(claim, pid=1, started_at=NOW, output=Output(), host="host1")

    is_running = Job.objects.get().state == State.PROCESSING
    assert Attempt.objects.filter(outcome=None).exists() is is_running
