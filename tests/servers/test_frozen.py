"""A supervisor that is frozen in the middle of a transaction keeps nobody from what it holds."""

import threading
from collections.abc import Iterator

import pytest
from django.db import Error, connections
from django.db.backends.signals import connection_created

from jobs import sql
from jobs.database import atomic, connection
from jobs.models import Supervisor
from jobs.sql.mysql import IDLE_LIMIT
from tests.factories import make_supervisor

pytestmark = pytest.mark.django_db(transaction=True)

IDLE_SECONDS = 1.0
PATIENCE_SECONDS = 20.0


@pytest.fixture(autouse=True)
def unprepared() -> Iterator[None]:
    """Leave no limit behind: a later test of this process may say nothing for longer, on a busy machine."""
    options = connection.settings_dict["OPTIONS"]
    yield
    connection.settings_dict["OPTIONS"] = options
    connection.execute_wrappers.clear()
    connection_created.disconnect(dispatch_uid=IDLE_LIMIT)
    connections.close_all()


@pytest.fixture
def frozen() -> Iterator[list[Error]]:
    """A transaction that has locked the supervisors, and then says no more until the test is over; how it ended."""
    make_supervisor()
    is_locked, is_over = threading.Event(), threading.Event()
    ends: list[Error] = []

    def freeze() -> None:
        sql.for_connection(connection).prepare(connection, idle_seconds=IDLE_SECONDS)
        try:
            with atomic():
                Supervisor.objects.update(pid=1)
                is_locked.set()
                is_over.wait(PATIENCE_SECONDS)
                Supervisor.objects.update(pid=2)
        except Error as error:
            ends.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=freeze)
    thread.start()
    assert is_locked.wait(PATIENCE_SECONDS)
    yield ends
    is_over.set()
    thread.join(PATIENCE_SECONDS)
    assert len(ends) == 1
    assert sql.for_connection(connection).is_outage(ends[0])


def test_its_transaction_is_ended_by_the_server(frozen: list[Error]) -> None:
    assert Supervisor.objects.update(pid=3) == 1  # waits for the lock, for no longer than that
    assert Supervisor.objects.get().pid == 3


def test_one_that_says_something_in_time_is_left_alone() -> None:
    make_supervisor()
    sql.for_connection(connection).prepare(connection, idle_seconds=60)
    with atomic():
        Supervisor.objects.update(pid=1)
        Supervisor.objects.update(pid=2)
    assert Supervisor.objects.get().pid == 2
