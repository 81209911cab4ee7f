"""Transactions on the database that holds the queue."""

from pathlib import Path
from typing import Any

from django.db import connections

from jobs.database import atomic
from tests.moving import house_in


@atomic()
def _aliases_in_a_transaction() -> list[str]:
    return [alias for alias in connections if connections[alias].in_atomic_block]


def test_a_transaction_is_on_the_database_that_holds_the_queue_when_it_begins(tmp_path: Path, django_db_blocker: Any):
    with django_db_blocker.unblock(), house_in(tmp_path / "queue.sqlite3") as house, house.inside():
        assert _aliases_in_a_transaction() == [house.alias]
