"""The store thread, where a real database would have to fail at one exact moment."""

import errno
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from jobs import clock, queue, sql
from jobs.database import connection
from jobs.models import Attempt, Job, Supervisor
from jobs.runners.task import RETURN_VALUE_MAX_BYTES
from jobs.states import Ending, State
from jobs.supervisor.desk import Desk, Wishes
from jobs.supervisor.store import Store
from tests.clock import NOW
from tests.factories import make_jobs, make_outcome, make_supervisor
from tests.queue import turns

pytestmark = pytest.mark.django_db(transaction=True)

DESCRIPTION = {
    "marker": "0" * 32,
    "host": "host1",
    "machine": "machine1",
    "pid": 1,
    "process_started": "1",
    "version": "1.0",
    "worker_count": 1,
    "thread_count": 1,
    "lease_seconds": 60.0,
}


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def store(desk: Desk) -> Iterator[Store]:
    store = Store(desk=desk, description=DESCRIPTION, queues=None)
    store.register()
    yield store
    store.hang_up()


def test_it_gives_back_what_a_transaction_claimed_whose_answer_was_lost(store: Store, desk: Desk):
    make_jobs({"id": id_} for id_ in ("known", "lost"))
    desk.wish(Wishes(room=1))
    store._guarded_step()
    (known,) = desk.take_news().claims
    desk.wish(Wishes(room=0, is_hungry=True))
    turns.claim(make_supervisor())
    Job.objects.exclude(pk=known.id).update(supervisor_id=store._id)  # the claim that it never heard of
    store._next_look = 0.0
    store._guarded_step()
    store._guarded_step()
    (lost,) = Job.objects.exclude(pk=known.id)
    assert (lost.state, lost.attempts, lost.supervisor) == (State.PENDING, 0, None)
    assert Job.objects.get(pk=known.id).state == State.PROCESSING


def _claimed_and_recorded(store: Store, desk: Desk) -> queue.Ended:
    """A job that is recorded as completed, and its end."""
    make_jobs([{"id": "job1"}])
    desk.wish(Wishes(room=1))
    store._guarded_step()
    (claim,) = desk.take_news().claims
    end = queue.Ended(claim=claim, outcome=make_outcome())
    desk.put_ended([end])
    desk.wish(Wishes(room=0, is_hungry=True))
    store._guarded_step()
    assert Job.objects.get().state == State.COMPLETED
    return end


def test_an_end_whose_answer_was_lost_is_no_lost_lease(store: Store, desk: Desk, caplog: pytest.LogCaptureFixture):
    end = _claimed_and_recorded(store, desk)
    caplog.set_level("INFO")
    desk.put_ended([end])
    store._guarded_step()
    assert "1 ends were recorded already" in caplog.text
    assert "lease lost" not in caplog.text
    assert store._completed_count == 2  # once for each that was told; the first was known here


def test_an_end_that_comes_after_another_s_is_a_lost_lease(store: Store, desk: Desk, caplog: pytest.LogCaptureFixture):
    end = _claimed_and_recorded(store, desk)
    Attempt.objects.update(outcome="lost")  # as its rescuer wrote
    desk.put_ended([end])
    store._guarded_step()
    assert "lease lost on 1 jobs" in caplog.text


def test_it_is_finished_when_it_learns_of_its_lost_lease_as_it_closes(store: Store, desk: Desk):
    Supervisor.objects.update(lost_at=NOW)
    desk.wish(Wishes(is_closing=True))
    store._guarded_step()  # it learns
    store._guarded_step()
    assert store.is_finished
    assert Supervisor.objects.count() == 1


def test_it_lives_when_it_cannot_wait(
    store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(_: float) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(desk, "wait", fail)
    store._guarded_step()
    assert "a turn failed: [Errno 9]" in caplog.text


def test_after_an_outage_the_next_step_writes(store: Store, monkeypatch: pytest.MonkeyPatch):
    def fail(**_: object) -> None:
        raise OperationalError(2006, "gone")

    dialect = sql.for_connection(connection)
    monkeypatch.setattr(dialect, "is_outage", lambda _: True)
    monkeypatch.setattr(dialect, "is_busy", lambda _: False)
    store._guarded_step()
    with monkeypatch.context() as patched:
        patched.setattr("jobs.queue.load_policies", fail)
        store._next_look = 0.0
        store._guarded_step()
    assert store._is_outage
    with monkeypatch.context() as patched:
        patched.setattr("jobs.queue.heartbeat", fail)
        store._guarded_step()
    assert store._is_outage
    store._guarded_step()
    assert not store._is_outage


def test_what_is_in_memory_is_read_again_after_a_failure(store: Store, monkeypatch: pytest.MonkeyPatch):
    def fail(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("jobs.queue.heartbeat", fail)
    store._counts[NOW, "default"] = queue.Counts()
    store._guarded_step()
    assert not store._counts


def test_a_defect_that_lasts_is_told_whole_only_once(store: Store, monkeypatch: pytest.MonkeyPatch, caplog):
    def fail(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("jobs.queue.heartbeat", fail)
    for _ in range(3):
        store._guarded_step()
    told = [record for record in caplog.records if "a turn failed" in record.message]
    assert [bool(record.exc_info) for record in told] == [True, False, False]


def test_a_machine_s_clock_that_is_set_while_a_job_runs_moves_neither_its_end_nor_its_retry(
    store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    make_jobs([{"id": "job1", "max_retries": 1, "backoff_base": 3.0}])
    desk.wish(Wishes(room=1))
    store._guarded_step()
    (claim,) = desk.take_news().claims
    tomorrow, before = clock.now() + timedelta(days=1), clock.now()
    ended = time.monotonic()
    failed = make_outcome(ending=Ending.FAILED, started_at=tomorrow, finished_at=tomorrow, run_seconds=5.0, ended=ended)
    desk.put_ended([queue.Ended(claim=claim, outcome=failed)])
    desk.wish(Wishes(room=0, is_hungry=True))
    store._guarded_step()
    job, attempt = Job.objects.get(), Attempt.objects.get()
    assert attempt.finished_at is not None
    assert abs(attempt.finished_at - before) < timedelta(seconds=1)
    assert attempt.finished_at - attempt.started_at == timedelta(seconds=5)
    assert job.run_at == attempt.finished_at + timedelta(seconds=3)


def test_it_claims_no_more_than_it_records_in_a_transaction(store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jobs.supervisor.store.BATCH_MAX_JOBS", 2)
    make_jobs({"id": f"{number}"} for number in range(6))
    for completed_count in (0, 2, 4):
        desk.wish(Wishes(room=6, is_hungry=True))
        store._guarded_step()
        claims = desk.take_news().claims
        assert len(claims) == 2
        assert Job.objects.filter(state=State.COMPLETED).count() == completed_count
        desk.put_ended([queue.Ended(claim=claim, outcome=make_outcome()) for claim in claims])


def _claimed(store: Store, desk: Desk, count: int) -> list[queue.Ended]:
    """Jobs that the store has claimed, and their ends."""
    make_jobs({"id": f"job{number}"} for number in range(count))
    desk.wish(Wishes(room=count))
    store._guarded_step()
    desk.wish(Wishes(room=0, is_hungry=True))
    return [queue.Ended(claim=claim, outcome=make_outcome(return_value="42")) for claim in desk.take_news().claims]


def test_an_outcome_that_cannot_be_stored_loses_its_details_and_its_neighbours_nothing(
    store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    ended = _claimed(store, desk, 3)
    record = queue.record

    def fail(ended: list[queue.Ended], **options: Any) -> list[queue.Recorded]:
        if any(end.claim.id == "job1" and end.outcome and end.outcome.return_value for end in ended):
            raise ValueError
        return record(ended, **options)

    monkeypatch.setattr("jobs.queue.record", fail)
    desk.put_ended(ended)
    for _ in range(6):
        store._guarded_step()
    assert dict(Job.objects.values_list("id", "return_value")) == {"job0": 42, "job1": None, "job2": 42}
    assert Job.objects.get(id="job1").error == "its outcome could not be stored whole"


def test_an_outcome_loses_nothing_by_a_failure_elsewhere(store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch):
    def fail(**_: object) -> None:
        raise PermissionError

    ended = _claimed(store, desk, 6)
    monkeypatch.setattr(store._housekeeper, "keep", fail)
    monkeypatch.setattr("jobs.supervisor.store.BATCH_MAX_JOBS", 2)
    desk.put_ended(ended)
    for _ in range(3):  # at full speed
        store._next_look = 0.0
        store._guarded_step()
    assert store._failures == 3
    assert list(Job.objects.values_list("return_value", flat=True)) == [42] * 6


def test_ends_that_are_too_much_for_one_statement_are_recorded_in_several(store: Store, desk: Desk):
    worst = json.dumps("\\" * (RETURN_VALUE_MAX_BYTES // 2 - 1))  # each quoted twice more on its way to MariaDB
    ended = [end._replace(outcome=make_outcome(return_value=worst)) for end in _claimed(store, desk, 20)]
    desk.put_ended(ended)
    for _ in ended:
        store._guarded_step()
    assert store._failures == 0
    assert set(Job.objects.values_list("state", flat=True)) == {State.COMPLETED}
    assert Job.objects.values_list("return_value", flat=True)[0] == json.loads(worst)


def test_it_tries_with_less_each_time_that_the_line_breaks(store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch):
    ended = _claimed(store, desk, 4)
    tried = []
    record = queue.record

    def fail(ended: list[queue.Ended], **options: Any) -> list[queue.Recorded]:
        tried.append(len(ended))
        if len(ended) > 1:
            raise OperationalError(2006, "gone")
        return record(ended, **options)

    dialect = sql.for_connection(connection)
    monkeypatch.setattr(dialect, "is_outage", lambda _: True)
    monkeypatch.setattr(dialect, "is_busy", lambda _: False)
    monkeypatch.setattr("jobs.queue.record", fail)
    monkeypatch.setattr("jobs.supervisor.store.BATCH_MAX_CHARACTERS", 4 * len("printed\n42"))
    desk.put_ended(ended)
    for _ in range(3):
        store._guarded_step()
    assert tried == [4, 2, 1]
    assert Job.objects.filter(state=State.COMPLETED).count() == 1
