"""Adding jobs: what is stored, what is refused, and that a refusal stores nothing."""

import itertools
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from jobs import queue, signing
from jobs.database import connection
from jobs.errors import InvalidInput, JobExists
from jobs.models import Job
from jobs.new_job import NewJob
from jobs.queue import _enqueue
from jobs.states import Kind, State
from tests.clock import NOW, after
from tests.e2e.site import CHECKOUT, Site
from tests.factories import make_job, make_new_job, make_supervisor
from tests.queue import turns
from tests.queue.racing import race

pytestmark = pytest.mark.django_db


def _enqueue_all(*ids: str, **fields) -> list[Job]:
    return queue.enqueue_many([make_new_job(id=id_, **fields) for id_ in ids], now=NOW)


def _claimed_ids() -> list[str]:
    return [claim.id for claim in turns.claim(make_supervisor())]


def test_it_stores_a_job_that_is_due_now_as_pending():
    queue.enqueue(make_new_job(id="job1"), now=NOW)
    job = Job.objects.get(pk="job1")
    assert (job.state, job.run_at, job.enqueued_at) == (State.PENDING, NOW, NOW)
    assert (job.attempts, job.fence, job.supervisor_id, job.outcome) == (0, 0, None, None)


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(-60, State.PENDING), (0, State.PENDING), (0.000_001, State.SCHEDULED), (60, State.SCHEDULED)],
)
def test_it_schedules_a_job_for_later_and_no_other(seconds: float, state: State):
    job = queue.enqueue(make_new_job(run_at=after(seconds=seconds)), now=NOW)
    assert (job.state, job.run_at) == (state, after(seconds=seconds))


def test_it_stores_every_field_of_a_shell_job():
    fields = {"queue": "mail", "priority": -7, "max_retries": 0, "timeout_seconds": 0.0}
    what = {"command": "echo é", "uses_shell": False, "cwd": "/tmp", "env": {"A": "1"}}
    queue.enqueue(make_new_job(id="job1", **fields, **what), now=NOW)
    job = Job.objects.get(pk="job1")
    assert {name: getattr(job, name) for name in fields | what} == fields | what
    assert job.kind == Kind.SHELL


def test_it_signs_a_shell_job():
    job = queue.enqueue(make_new_job(command="echo hi", cwd="/", env={"A": "1"}), now=NOW)
    stored = Job.objects.get(pk=job.pk)
    values: dict[str, Any] = {"command": "echo hi", "uses_shell": True, "cwd": "/", "env": {"A": "1"}}
    assert signing.verify(id=job.pk, **values, signature=stored.signature)


def test_it_stores_a_task_with_its_arguments_and_without_a_signature():
    new = make_new_job(id="t", kind=Kind.TASK, command=None, task="app.tasks.send", args=[1, None], kwargs={"a": []})
    queue.enqueue(new, now=NOW)
    job = Job.objects.get(pk="t")
    assert (job.kind, job.task, job.args, job.kwargs) == (Kind.TASK, "app.tasks.send", [1, None], {"a": []})
    assert (job.command, job.signature) == (None, None)


def test_it_makes_an_id_where_none_was_given():
    job = queue.enqueue(make_new_job(), now=NOW)
    assert uuid.UUID(job.pk).version == 7
    assert uuid.UUID(job.pk).variant == uuid.RFC_4122


def test_it_makes_ids_that_sort_by_the_time_they_were_made(monkeypatch: pytest.MonkeyPatch):
    clock = itertools.count(1_700_000_000_000_000_000, 1_000_000)
    monkeypatch.setattr(time, "time_ns", lambda: next(clock))
    ids = [queue.new_id() for _ in range(1_000)]
    assert ids == sorted(set(ids))


def test_it_refuses_an_id_that_exists_and_leaves_the_job_as_it_is():
    make_job(id="job1", command="first")
    with pytest.raises(JobExists, match="job1"):
        queue.enqueue(make_new_job(id="job1", command="second"), now=NOW)
    assert Job.objects.get(pk="job1").command == "first"


def test_it_refuses_an_id_within_a_transaction_that_goes_on():
    make_job(id="job1")
    with transaction.atomic():
        with pytest.raises(JobExists):
            queue.enqueue(make_new_job(id="job1"), now=NOW)
        queue.enqueue(make_new_job(id="job2"), now=NOW)
    assert Job.objects.count() == 2


def test_it_keeps_ids_apart_that_differ_in_case():
    queue.enqueue(make_new_job(id="job1"), now=NOW)
    queue.enqueue(make_new_job(id="Job1"), now=NOW)
    assert Job.objects.count() == 2


def test_it_forgets_a_job_whose_transaction_is_rolled_back():
    with transaction.atomic():
        queue.enqueue(make_new_job(), now=NOW)
        transaction.set_rollback(True)
    assert not Job.objects.exists()


def test_it_takes_back_an_id_whose_job_was_deleted():
    make_job(id="job1", state=State.DEAD)
    queue.delete(["job1"], now=NOW)
    queue.enqueue(make_new_job(id="job1"), now=NOW)
    assert Job.objects.get(pk="job1").state == State.PENDING


def test_it_runs_a_bulk_in_the_order_in_which_it_stands():
    ids = ["c", "a", "b", "z", "0"]
    _enqueue_all(*ids)
    assert _claimed_ids() == ids


def test_it_runs_a_bulk_of_delayed_jobs_in_the_order_in_which_it_stands():
    news = [make_new_job(run_at=after(seconds=60)) for _ in range(5)]
    ids = [job.pk for job in queue.enqueue_many(news, now=NOW)]
    queue.promote(now=after(seconds=61))
    assert _claimed_ids() == ids


def test_it_runs_a_bulk_after_what_was_there_and_before_what_comes():
    queue.enqueue(make_new_job(id="z first"), now=after(seconds=-1))
    _enqueue_all("m", "n")
    queue.enqueue(make_new_job(id="a last"), now=after(seconds=1))
    assert _claimed_ids() == ["z first", "m", "n", "a last"]


def test_it_stores_a_bulk_of_more_than_one_insert(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_enqueue, "INSERT_BATCH_JOBS", 3)
    _enqueue_all(*"abcdefgh")
    assert Job.objects.count() == 8


def test_it_stores_an_empty_bulk():
    assert queue.enqueue_many([], now=NOW) == []


def test_it_stores_nothing_of_a_bulk_with_an_id_that_exists(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_enqueue, "INSERT_BATCH_JOBS", 2)
    make_job(id="taken", command="first")
    with pytest.raises(JobExists, match="taken"):
        _enqueue_all("a", "b", "c", "taken", "d", command="second")
    assert list(Job.objects.values_list("pk", "command")) == [("taken", "first")]


def test_it_names_the_first_few_ids_of_a_bulk_that_exist(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_enqueue, "IDS_PER_LOOKUP", 2)
    for id_ in "abcde":
        make_job(id=id_)
    with pytest.raises(JobExists, match="a, b, c and 2 more"):
        _enqueue_all(*"abcdef")


def test_it_refuses_a_bulk_with_an_id_that_stands_twice():
    with pytest.raises(InvalidInput, match=r"^id: b "):
        _enqueue_all("a", "b", "c", "b")
    assert not Job.objects.exists()


def test_it_signs_each_job_of_a_bulk_for_its_own_id():
    jobs = _enqueue_all("a", "b")
    assert jobs[0].signature != jobs[1].signature


@pytest.mark.django_db(transaction=True)
def test_it_lets_one_of_many_have_an_id():
    def enqueue() -> bool:
        try:
            queue.enqueue(make_new_job(id="job1"), now=NOW)
        except JobExists:
            return False
        return True

    assert sorted(race(*[enqueue] * 4)) == [False, False, False, True]
    assert Job.objects.count() == 1


def test_it_enqueues_in_a_transaction_that_goes_on_after_a_bulk_was_refused():
    make_job(id="taken")
    with transaction.atomic():
        with pytest.raises(JobExists):
            _enqueue_all("a", "taken")
        _enqueue_all("b", "c")
    assert set(Job.objects.values_list("pk", flat=True)) == {"taken", "b", "c"}


@pytest.mark.parametrize("new", [make_new_job(), make_new_job(id="of its own")], ids=["id made", "id given"])
def test_it_returns_the_job_that_it_stored(new: NewJob):
    for job in (queue.enqueue(new, now=NOW), *queue.enqueue_many([make_new_job(), make_new_job()], now=NOW)):
        stored = Job.objects.get(pk=job.pk)
        names = [field.attname for field in Job._meta.concrete_fields]
        assert {name: getattr(job, name) for name in names} == {name: getattr(stored, name) for name in names}


def test_it_lets_no_transaction_commit_that_lacks_a_job_the_database_refused():
    with transaction.atomic():
        with pytest.raises(DatabaseError):
            queue.enqueue(make_new_job(queue="*"), now=NOW)
        assert transaction.get_rollback()


@pytest.mark.django_db(transaction=True)
def test_it_stores_nothing_of_a_bulk_that_is_cut_short(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_enqueue, "INSERT_BATCH_JOBS", 2)

    def interrupt(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        queue.enqueue_many([make_new_job() for _ in range(5)], now=NOW, advance=interrupt)
    assert not Job.objects.exists()


@pytest.mark.parametrize("count", [1, 2])
def test_it_lets_whoever_watches_over_statements_see_each_one(count: int):
    seen: list[str] = []

    def watch(execute: Callable[..., Any], statement: str, *rest: Any) -> Any:
        seen.append(statement)
        return execute(statement, *rest)

    with connection.execute_wrapper(watch):
        if count == 1:
            queue.enqueue(make_new_job(), now=NOW)
        else:
            queue.enqueue_many([make_new_job() for _ in range(count)], now=NOW)
    assert [statement for statement in seen if "jobs_job" in statement]
    assert Job.objects.count() == count


KILLED_IN_A_BULK = """
import os, signal
import django
django.setup()
from jobs import clock, new_job, queue
now = clock.now()
news = [new_job.from_fields({"command": "true"}, now=now)] * 1_100
queue.enqueue_many(news, now=now, advance=lambda _: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_it_leaves_nothing_of_a_bulk_whose_process_is_killed(site: Site):
    environment = {**site.environment, "DJANGO_SETTINGS_MODULE": "queuectl_site.settings"}
    done = subprocess.run([sys.executable, "-c", KILLED_IN_A_BULK], cwd=CHECKOUT, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert site.states() == {}
