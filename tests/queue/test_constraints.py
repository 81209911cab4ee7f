"""The database itself refuses rows that must never be, whoever writes them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import RestrictedError

from jobs.models import Attempt, Config, ConfigChange, Counter, Job, Supervisor
from jobs.states import FINAL, Ending, Kind, State
from tests.clock import NOW
from tests.factories import make_job, make_supervisor

pytestmark = pytest.mark.django_db


def _refuses(constraint: str):
    return pytest.raises(IntegrityError, match=constraint)


@contextlib.contextmanager
def _checked_at_once() -> Iterator[None]:
    """Check references now, which some databases do at the end of the transaction."""
    with transaction.atomic():
        yield
        connection.check_constraints()


@pytest.mark.parametrize("state", State)
def test_it_takes_a_job_in_every_state(state: State):
    make_job(state=state)


@pytest.mark.parametrize("state", ["", "Pending", "done"])
def test_it_refuses_an_unknown_state(state: str):
    make_job()
    with _refuses("jobs_job_state_known"):
        Job.objects.update(state=state)


def test_it_refuses_a_job_without_an_id():
    with _refuses("jobs_job_id_not_empty"):
        make_job(id="")


def test_it_refuses_a_second_job_with_the_same_id():
    make_job()
    with pytest.raises(IntegrityError):
        make_job()


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": Kind.SHELL, "command": None},
        {"kind": Kind.SHELL, "command": "true", "task": "app.tasks.send"},
        {"kind": Kind.TASK},
        {"kind": Kind.TASK, "command": "true", "task": "app.tasks.send"},
        {"kind": "other", "command": "true"},
        {"kind": "", "command": "true"},
    ],
)
def test_it_refuses_a_job_without_exactly_the_fields_of_its_kind(fields: dict[str, Any]):
    with _refuses("jobs_job_kind_has_its_fields"):
        make_job(**fields)


def test_it_refuses_a_running_job_that_nobody_holds():
    with _refuses("jobs_job_owned_iff_processing"):
        make_job(state=State.PROCESSING, supervisor=None)


@pytest.mark.parametrize("state", sorted(set(State) - {State.PROCESSING}))
def test_it_refuses_a_job_that_is_held_and_does_not_run(state: State):
    with _refuses("jobs_job_owned_iff_processing"):
        make_job(state=state, supervisor=make_supervisor())


@pytest.mark.parametrize("state", sorted(FINAL))
def test_it_refuses_a_final_job_that_has_not_finished(state: State):
    with _refuses("jobs_job_finished_iff_final"):
        make_job(state=state, finished_at=None)


@pytest.mark.parametrize("state", sorted(set(State) - FINAL))
def test_it_refuses_a_finished_job_that_is_not_final(state: State):
    with _refuses("jobs_job_finished_iff_final"):
        make_job(state=state, finished_at=NOW)


@pytest.mark.parametrize("priority", [-100, 100])
def test_it_takes_the_smallest_and_the_largest_priority(priority: int):
    make_job(priority=priority)


@pytest.mark.parametrize("priority", [-101, 101])
def test_it_refuses_a_priority_out_of_range(priority: int):
    with _refuses("jobs_job_priority_range"):
        make_job(priority=priority)


def test_it_refuses_more_attempts_than_claims():
    with _refuses("jobs_job_attempts_within_fence"):
        make_job(attempts=2, fence=1)


@pytest.mark.parametrize("field", ["attempts", "fence", "postponements", "max_retries"])
def test_it_refuses_a_negative_count(field: str):
    make_job()
    with pytest.raises((IntegrityError, DataError)):  # the column's type may know before the constraint does
        Job.objects.update(**{field: -1})


def test_it_refuses_a_supervisor_that_is_both_stopped_and_lost():
    with _refuses("jobs_supervisor_stopped_or_lost"):
        make_supervisor(stopped_at=NOW, lost_at=NOW)


def test_it_refuses_to_delete_a_supervisor_that_holds_a_job():
    job = make_job(state=State.PROCESSING)
    assert job.supervisor is not None
    with pytest.raises(RestrictedError):
        job.supervisor.delete()


def test_it_refuses_a_job_of_a_supervisor_that_does_not_exist():
    with pytest.raises(IntegrityError), _checked_at_once():
        make_job(state=State.PROCESSING, supervisor_id=999_999)


def _attempt(**fields: Any) -> Attempt:
    values = {"job_id": "job1", "fence": 1, "number": 1, "host": "h", "started_at": NOW}
    return Attempt.objects.create(**(values | fields))


def test_it_refuses_two_attempts_of_one_claim():
    make_job()
    _attempt()
    with pytest.raises(IntegrityError), transaction.atomic():
        _attempt(number=2, outcome=Ending.FAILED)
    _attempt(fence=2)


def test_it_refuses_an_attempt_of_a_job_that_does_not_exist():
    with pytest.raises(IntegrityError), _checked_at_once():
        _attempt(job_id="nobody")


def test_it_refuses_two_settings_of_one_queue():
    Config.objects.create(queue="mail")
    with pytest.raises(IntegrityError):
        Config.objects.bulk_create([Config(queue="mail")])


@pytest.mark.parametrize("field", ["queue", "key", "changed_by"])
def test_it_refuses_a_change_without_a_name(field: str):
    change = {"queue": "mail", "key": "timeout", "after": 1, "changed_by": "anna", "changed_at": NOW}
    with _refuses("jobs_configchange_named"):
        ConfigChange.objects.create(**(change | {field: ""}))


def test_it_refuses_a_change_of_nothing_to_nothing():
    with _refuses("jobs_configchange_changes"):
        ConfigChange.objects.create(queue="mail", key="timeout", changed_by="anna", changed_at=NOW)


def test_it_refuses_two_counters_of_one_writer_and_minute():
    counter = {"minute": NOW, "queue": "default", "writer": 1}
    Counter.objects.create(**counter)
    with pytest.raises(IntegrityError), transaction.atomic():
        Counter.objects.create(**counter)
    Counter.objects.create(**(counter | {"writer": 2}))


def test_it_names_every_constraint_after_its_table():
    for model in (Job, Attempt, Supervisor, Counter, ConfigChange):
        assert all(constraint.name.startswith(model._meta.db_table) for constraint in model._meta.constraints)
