"""The supervisors' rows: signs of life, requests to stop, and taking one for dead."""

import pytest

from jobs import queue
from jobs.models import Supervisor
from jobs.states import State
from tests.clock import DAY_SECONDS, NOW, after
from tests.factories import make_job, make_supervisor
from tests.queue import turns
from tests.queue.racing import race

pytestmark = pytest.mark.django_db


def _beat(supervisor: Supervisor, *, seconds: float = 1.0) -> bool:
    workers = [{"pid": 5, "jobs": ["job1"], "rss_bytes": 1}]
    return queue.heartbeat(supervisor_id=supervisor.pk, workers=workers, completed_count=3, now=after(seconds=seconds))


def _lose(supervisor: Supervisor) -> bool:
    return queue.mark_lost(supervisor_id=supervisor.pk, beats=supervisor.beats, now=NOW)


def _stop(supervisor: Supervisor) -> bool:
    return queue.mark_stopped(supervisor_id=supervisor.pk, now=NOW)


def test_it_announces_a_supervisor():
    made = make_supervisor()
    fields = {field.attname: getattr(made, field.attname) for field in Supervisor._meta.concrete_fields}
    del fields["id"]
    supervisor = queue.register(**fields)
    assert supervisor.pk != made.pk
    assert supervisor.is_live


def test_it_stores_a_sign_of_life():
    supervisor = make_supervisor()
    assert _beat(supervisor, seconds=5)
    assert _beat(supervisor, seconds=9)
    supervisor.refresh_from_db()
    assert (supervisor.heartbeat_at, supervisor.beats, supervisor.completed_count) == (after(seconds=9), 2, 3)
    assert supervisor.workers == [{"pid": 5, "jobs": ["job1"], "rss_bytes": 1}]


def test_it_takes_a_silent_supervisor_for_dead():
    supervisor = make_supervisor()
    assert queue.mark_lost(supervisor_id=supervisor.pk, beats=0, now=after(seconds=9))
    supervisor.refresh_from_db()
    assert (supervisor.lost_at, supervisor.is_live) == (after(seconds=9), False)


def test_it_does_not_take_one_for_dead_that_has_just_given_a_sign_of_life():
    supervisor = make_supervisor()
    _beat(supervisor)
    assert not queue.mark_lost(supervisor_id=supervisor.pk, beats=0, now=NOW)
    supervisor.refresh_from_db()
    assert supervisor.is_live


def test_it_refuses_the_sign_of_life_of_one_that_was_taken_for_dead():
    supervisor = make_supervisor()
    _lose(supervisor)
    assert not _beat(supervisor)
    supervisor.refresh_from_db()
    assert supervisor.beats == 0


def test_it_refuses_the_end_of_one_that_was_taken_for_dead():
    supervisor = make_supervisor()
    _lose(supervisor)
    assert not _stop(supervisor)


def test_it_records_a_graceful_end():
    supervisor = make_supervisor(workers=[{"pid": 1}])
    assert queue.mark_stopped(supervisor_id=supervisor.pk, now=after(seconds=9))
    supervisor.refresh_from_db()
    assert (supervisor.stopped_at, supervisor.workers, supervisor.is_live) == (after(seconds=9), [], False)


def test_it_does_not_take_one_for_dead_that_has_stopped():
    supervisor = make_supervisor()
    _stop(supervisor)
    assert not _lose(supervisor)


def test_it_leaves_no_job_in_the_hands_of_one_that_has_stopped():
    # A supervisor whose overtime is over says that it stopped while a worker still holds a job.
    supervisor, other = make_supervisor(), make_supervisor()
    make_job()
    turns.claim(supervisor)
    _stop(supervisor)
    within_reach = queue.live_others(supervisor_id=other.pk) + queue.gone_with_jobs()
    assert supervisor in within_reach


def test_it_knows_the_others_that_live():
    first, second, stopped, lost = (make_supervisor() for _ in range(4))
    _stop(stopped)
    _lose(lost)
    assert queue.live_others(supervisor_id=first.pk) == [second]
    assert queue.live_others(supervisor_id=lost.pk) == [first, second]


def test_it_asks_all_that_live_to_stop():
    first, second, stopped = (make_supervisor() for _ in range(3))
    _stop(stopped)
    assert queue.request_stop(ids=None, grace_seconds=None, now=NOW) == [first.pk, second.pk]
    asked = queue.requests(supervisor_id=first.pk)
    assert (asked.stop, asked.stop_grace_seconds) == (True, None)
    assert not queue.requests(supervisor_id=stopped.pk).stop


def test_it_asks_one_to_stop_within_a_time():
    first, second = make_supervisor(), make_supervisor()
    assert queue.request_stop(ids=[second.pk], grace_seconds=2.5, now=NOW) == [second.pk]
    assert queue.requests(supervisor_id=second.pk).stop_grace_seconds == 2.5
    assert not queue.requests(supervisor_id=first.pk).stop


def test_it_asks_none_when_none_runs():
    assert queue.request_stop(ids=None, grace_seconds=None, now=NOW) == []


def test_it_asks_those_that_run_though_another_has_just_ended():
    first, stopped = make_supervisor(), make_supervisor()
    _stop(stopped)
    assert queue.request_stop(ids=[first.pk, stopped.pk, 999_999], grace_seconds=None, now=NOW) == [first.pk]
    assert queue.requests(supervisor_id=first.pk).stop
    assert not queue.requests(supervisor_id=stopped.pk).stop


def test_it_has_no_requests_for_one_whose_row_is_gone():
    assert not queue.requests(supervisor_id=999_999).stop


def test_it_forgets_those_that_are_long_gone():
    long_ago = after(seconds=-DAY_SECONDS - 1)
    make_supervisor(heartbeat_at=long_ago, stopped_at=long_ago)
    make_supervisor(heartbeat_at=long_ago, lost_at=long_ago)
    kept = [
        make_supervisor(heartbeat_at=long_ago),
        make_supervisor(heartbeat_at=after(seconds=-DAY_SECONDS), stopped_at=NOW),
        make_supervisor(heartbeat_at=long_ago, lost_at=long_ago),
    ]
    make_job(state=State.PROCESSING, supervisor=kept[2])
    assert queue.forget_old(now=NOW) == 2
    assert list(Supervisor.objects.order_by("pk")) == kept


@pytest.mark.django_db(transaction=True)
def test_it_is_taken_for_dead_by_one_of_many():
    supervisor = make_supervisor()
    assert sorted(race(*[lambda: _lose(supervisor)] * 3)) == [False, False, True]


@pytest.mark.django_db(transaction=True)
def test_it_is_either_alive_or_dead_when_it_wakes_at_the_last_moment():
    supervisor = make_supervisor()
    beat, lost = race(lambda: _beat(supervisor), lambda: _lose(supervisor))
    assert beat is not lost
