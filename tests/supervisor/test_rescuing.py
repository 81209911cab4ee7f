"""Which supervisors are taken for dead, and when."""

import time

import pytest
from django.db import connection

from jobs import identities, queue, sql
from jobs.models import Job, Supervisor
from jobs.states import State
from jobs.supervisor.rescuing import Rescuer
from tests.clock import NOW
from tests.factories import make_job, make_supervisor
from tests.faked_time import fake_time
from tests.queue import turns

pytestmark = pytest.mark.django_db

DIALECT = sql.for_connection(connection)


@pytest.fixture
def other() -> Supervisor:
    """A supervisor on some other machine that holds a job."""
    other = make_supervisor(lease_seconds=60.0)
    make_job()
    turns.claim(other)
    return other


@pytest.fixture
def rescuer(other: Supervisor, monkeypatch: pytest.MonkeyPatch) -> Rescuer:
    monkeypatch.setattr(DIALECT, "IS_LOCAL", False)
    return Rescuer(make_supervisor().pk)


def _let_pass(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.monotonic() + seconds
    fake_time(monkeypatch, "jobs.supervisor.rescuing", monotonic=lambda: later)


def test_it_leaves_a_supervisor_alone_that_it_sees_for_the_first_time(rescuer: Rescuer):
    assert rescuer.rescue(now=NOW) == 0


def test_it_takes_the_jobs_of_one_that_it_saw_silent_for_a_whole_lease(
    rescuer: Rescuer, monkeypatch: pytest.MonkeyPatch
):
    rescuer.rescue(now=NOW)
    _let_pass(61, monkeypatch)
    assert rescuer.rescue(now=NOW) == 1
    assert Job.objects.get().state == State.FAILED


def test_it_begins_anew_with_every_sign_of_life(other: Supervisor, rescuer: Rescuer, monkeypatch: pytest.MonkeyPatch):
    rescuer.rescue(now=NOW)
    queue.heartbeat(supervisor_id=other.pk, workers=[], completed_count=0, now=NOW)
    _let_pass(61, monkeypatch)
    assert rescuer.rescue(now=NOW) == 0


def test_it_sees_at_once_that_a_process_of_this_machine_is_gone(other: Supervisor, rescuer: Rescuer):
    own = identities.own()
    Supervisor.objects.filter(pk=other.pk).update(machine=own.machine, pid=own.pid, process_started="another")
    assert rescuer.rescue(now=NOW) == 1


def test_it_knows_that_nothing_survives_a_reboot(other: Supervisor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(DIALECT, "IS_LOCAL", True)
    _, _, namespace = identities.own().machine.partition(" ")
    Supervisor.objects.filter(pk=other.pk).update(machine=f"another-boot {namespace}")
    assert Rescuer(make_supervisor().pk).rescue(now=NOW) == 1


def test_it_takes_another_boot_for_another_machine_where_there_can_be_one(
    other: Supervisor, rescuer: Rescuer, monkeypatch: pytest.MonkeyPatch
):
    _, _, namespace = identities.own().machine.partition(" ")
    Supervisor.objects.filter(pk=other.pk).update(machine=f"another-boot {namespace}")
    assert rescuer.rescue(now=NOW) == 0
