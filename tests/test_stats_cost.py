"""That no number costs more when the table grows, and that reading only reads."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs import stats
from jobs.states import State
from jobs.stats import doctor
from tests.clock import NOW, after
from tests.test_stats import make_one_of_each, read_status

pytestmark = pytest.mark.django_db


def _steps(statement: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
        return [row[-1] for row in cursor.fetchall()]


ALL_READINGS: list[Callable[[], object]] = [
    read_status,
    stats.count_dead,
    lambda: stats.count_dead(queue="mail"),
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
]


@pytest.mark.parametrize("read", ALL_READINGS)
def test_it_reads_jobs_by_an_index_and_in_its_order(read):
    make_one_of_each()
    with CaptureQueriesContext(connection) as captured:
        read()
    for query in captured.captured_queries:
        statement = query["sql"]
        if not statement.lstrip().upper().startswith(("SELECT", "WITH")):
            continue
        for step in _steps(statement):
            if step.startswith(("SCAN jobs_job", "SEARCH jobs_job")):
                assert "INDEX" in step, (step, statement)


def test_it_reads_only():
    make_one_of_each()
    with CaptureQueriesContext(connection) as captured:
        read_status()
        doctor.examine(now=NOW)
    written = [
        query["sql"] for query in captured.captured_queries if query["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE")
    ]
    assert written == []
