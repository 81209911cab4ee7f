"""That no number costs more when the table grows, and that reading only reads."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs import queue, stats
from jobs.states import State
from jobs.stats import doctor
from tests.clock import NOW, after
from tests.sql import planner
from tests.test_stats import make_one_of_each, read_status

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def crowd(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), planner.crowd():
        yield


ALL_READINGS: list[Callable[[], object]] = [
    read_status,
    stats.count_dead,
    lambda: stats.count_dead(queue="mail"),
    stats.count_dead_exactly,
    lambda: stats.newest_jobs(limit=9),
    *(lambda state=state: stats.newest_jobs(states=[state], limit=9) for state in State),
    *(lambda state=state: stats.newest_jobs(states=[state], queue="mail", limit=9) for state in State),
    lambda: stats.newest_jobs(states=[State.FAILED, State.SCHEDULED], limit=9),
    lambda: stats.newest_jobs(states=[State.COMPLETED, State.CANCELLED], limit=9),
    lambda: stats.why_waiting(stats.find_job("pending"), now=NOW),
    lambda: stats.why_waiting(stats.find_job("processing"), now=NOW),
    lambda: list(stats.attempts("pending")),
    lambda: stats.states_of(["pending"]),
    lambda: doctor.examine(now=NOW),
    lambda: stats.totals(since=after(seconds=-60), now=NOW, queue="mail"),
    lambda: queue.note_depth(now=NOW),
]


@pytest.mark.parametrize("read", ALL_READINGS)
def test_it_reads_jobs_by_an_index_and_in_its_order(read: Callable[[], object], crowd: None):
    make_one_of_each()
    with planner.recorded() as steps:
        read()
    for step, statement in steps:
        assert step.index is not None, (step, statement)
        assert not (step.is_whole and step.index == planner.PRIMARY_KEY), (step, statement)


def test_it_reads_only():
    make_one_of_each()
    with CaptureQueriesContext(connection) as captured:
        read_status()
        doctor.examine(now=NOW)
    written = [
        query["sql"] for query in captured.captured_queries if query["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE")
    ]
    assert written == []
