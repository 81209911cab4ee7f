"""What the pages ask of the database: as many queries for many rows as for few, and none that reads a whole table."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs import queue
from jobs.models import Attempt
from jobs.states import Kind, State
from tests.admin.pages import get, make_rows
from tests.clock import NOW
from tests.factories import make_job, make_supervisor

pytestmark = pytest.mark.django_db


def queries(client: Client, path: str) -> list[str]:
    get(client, path)  # content types and the session are read once
    with CaptureQueriesContext(connection) as captured:
        assert get(client, path).status_code == 200
    return [
        query["sql"].replace("`", '"') for query in captured.captured_queries
    ]  # MariaDB quotes names in its own way


def make_more(number: int) -> None:
    for n in range(number):
        make_job(id=f"p{n}", queue=f"q{n % 3}")
        make_job(id=f"d{n}", state=State.DEAD, error=f"exit code {n % 4}", queue=f"q{n % 3}")
        make_job(id=f"t{n}", kind=Kind.TASK, task="a.b", command=None)
        queue.pause(f"q{n}", now=NOW, by="anna")
        queue.set_knob("timeout", n, queue="mail", now=NOW, by="anna")
        make_supervisor(id=100 + n, marker=f"m{n}", workers=[{"pid": n, "jobs": [f"p{n}"]}])
        Attempt.objects.create(job_id="dead1", fence=2 + n, number=2 + n, host="h", started_at=NOW)


LISTS = [
    "job/",
    "job/?state=dead",
    "job/?state=pending&queue=q1",
    "job/?q=p",
    "deadjob/",
    "supervisor/",
    "config/",
    "dashboard/",
]
PAGES = [
    *LISTS,
    "job/dead1/change/",
    "deadjob/dead1/change/",
    "job/requeue/?state=dead",
    "job/delete/",
    "supervisor/stop/",
    "config/mail/change/",
    "job/enqueue/",
    "job/enqueue/command/backup/",
    "job/enqueue/task/tests.tasks.samples.add/",
]


@pytest.mark.parametrize("path", PAGES)
def test_it_asks_as_often_for_many_rows_as_for_few(superuser: Client, path):
    make_rows()
    make_more(3)
    few = len(queries(superuser, path))

    for prefix in ("x", "y", "z"):
        for n in range(10):
            queue.pause(f"{prefix}{n}", now=NOW, by="anna")
            queue.set_knob("timeout", n + 50, queue="mail", now=NOW, by="anna")
            make_job(id=f"{prefix}{n}", state=State.DEAD if prefix == "x" else State.PENDING, queue=f"q{n % 3}")
            make_supervisor(id=200 + ord(prefix) * 10 + n, marker=f"{prefix}{n}", workers=[{"pid": n, "jobs": ["p1"]}])

    assert len(queries(superuser, path)) == few


@pytest.mark.parametrize("path", PAGES)
def test_it_counts_no_jobs_without_a_limit(superuser: Client, path):
    make_rows()
    make_more(3)

    for sql in queries(superuser, path):
        if "COUNT(" in sql and '"jobs_job"' in sql and "GROUP BY" not in sql:
            assert "LIMIT" in sql, sql


@pytest.mark.parametrize("path", PAGES)
def test_it_reads_no_whole_table_of_jobs(superuser: Client, path):
    make_rows()
    make_more(3)

    for sql in queries(superuser, path):
        if 'FROM "jobs_job"' in sql and "GROUP BY" not in sql and '"id" = ' not in sql:
            assert "LIMIT" in sql or "RECURSIVE" in sql, sql


@pytest.mark.parametrize("path", LISTS)
def test_it_reads_no_large_column_whole_and_no_output_in_a_list(superuser: Client, path):
    make_rows()
    make_more(3)

    for sql in queries(superuser, path):
        columns = sql.partition(" FROM ")[0]
        assert not re.search(r'(?<!\()"jobs_job"\."(env|args|kwargs|cwd|signature|command)"(?!, 1)', columns), sql
        assert "output_head" not in sql, sql


@pytest.mark.parametrize("path", ["job/?q=abc", "job/?q=cmd:abc", "job/?q=task:abc", "job/?q=queue:abc state:dead"])
def test_it_uses_no_pattern_to_search(superuser: Client, path):
    make_rows()

    assert not any(" LIKE " in sql for sql in queries(superuser, path))


def test_it_groups_the_dead_by_error_in_one_query(superuser: Client):
    make_rows()
    make_more(5)

    assert len([sql for sql in queries(superuser, "deadjob/") if "GROUP BY" in sql]) == 1


def test_it_reads_no_output_on_a_jobs_page_but_that_of_the_latest_attempt(superuser: Client):
    make_rows()
    make_more(3)

    reading = [sql for sql in queries(superuser, "job/dead1/change/") if '"jobs_attempt"."output_head",' in sql]

    assert len(reading) == 1
    assert "LIMIT 1" in reading[0]
