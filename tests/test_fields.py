"""Columns that mean the same on every database."""

from typing import Any

import pytest
from django.db.models.expressions import RawSQL

from jobs.database import connection
from jobs.fields import UNREADABLE
from jobs.models import Job
from tests.factories import make_job, make_jobs

pytestmark = pytest.mark.django_db

ALIKE = ["job1", "Job1", "job1 ", "jöb1", "jo\u0308b1", "job1\u200b"]


def test_names_are_compared_byte_for_byte():
    make_jobs({"id": id_} for id_ in ALIKE)
    for id_ in ALIKE:
        assert [job.pk for job in Job.objects.filter(pk=id_)] == [id_]


def test_queues_are_compared_byte_for_byte():
    make_jobs({"id": str(number), "queue": queue} for number, queue in enumerate(ALIKE))
    assert Job.objects.values("queue").distinct().count() == len(ALIKE)


def test_names_are_sorted_by_their_bytes():
    make_jobs({"id": id_} for id_ in ("b", "A", "a", "B", "_", "é"))
    assert list(Job.objects.order_by("pk").values_list("pk", flat=True)) == ["A", "B", "_", "a", "b", "é"]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"nul": "\0", "surrogate": "\ud800", "emoji": "🐄", "order": {"b": 1, "a": 2}},
        {"float": 1.0, "large": 10**40, "tiny": 5e-324, "null": None, "true": True},
        {"list": ["\x01", "\\u0000", "", " "]},
    ],
)
def test_a_json_value_comes_back_as_it_was(value):
    make_job(kind="task", command=None, task="app.tasks.work", kwargs=value, args=[value])
    job = Job.objects.get()
    assert (job.kwargs, job.args) == (value, [value])
    assert list(job.kwargs) == list(value)
    assert [type(found) for found in job.kwargs.values()] == [type(given) for given in value.values()]


def test_no_json_value_is_null():
    make_job(env=None)
    assert Job.objects.filter(env__isnull=True).exists()


def test_nothing_is_indexed_that_nobody_reads():
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Job._meta.db_table)
    indexes = {name for name, constraint in found.items() if constraint["index"] and not constraint["foreign_key"]}
    named = {index.name for index in Job._meta.indexes}
    assert {name for name in indexes if not found[name]["primary_key"]} == named


@pytest.mark.parametrize("text", ["{", "", "nonsense", "[" * 100_000])
def test_what_is_no_json_is_told_from_what_is(text):
    make_job(env={"A": "1"})
    Job.objects.update(env=RawSQL("%s", [text]))

    assert Job.objects.get().env == UNREADABLE


@pytest.mark.parametrize("name", ["command", "cwd", "task", "error"])
def test_bytes_that_only_sqlite_keeps_are_read_as_text(name):
    field: Any = Job._meta.get_field(name)

    assert field.from_db_value(b"a\xff", None, connection) == "a\ufffd"
    assert field.from_db_value("é", None, connection) == "é"
    assert field.from_db_value(None, None, connection) is None
    assert field.deconstruct()[1] == f"django.db.models.{field.get_internal_type()}"
