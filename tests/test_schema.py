"""Whether the database and the code are of the same age."""

import pytest
from django.db.migrations.recorder import MigrationRecorder

from jobs import schema
from jobs.database import connection

pytestmark = pytest.mark.django_db


def test_they_are():
    assert (schema.missing(), schema.unknown()) == ([], [])


def test_the_database_is_older():
    MigrationRecorder(connection).record_unapplied("jobs", "0001_initial")
    assert schema.missing() == ["0001_initial"]


def test_the_database_is_newer():
    MigrationRecorder(connection).record_applied("jobs", "0999_from_the_future")
    MigrationRecorder(connection).record_applied("shop", "0999_not_ours")
    assert schema.unknown() == ["0999_from_the_future"]
