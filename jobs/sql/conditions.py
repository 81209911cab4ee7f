"""Conditions on `state` that use the indexes over several states (`StateIndex` of `Job`).

SQLite uses a partial index only where the query repeats its condition word for word; the ORM binds the states of
`state__in=…` as parameters, and then the whole table is read. `Job.objects.filter(DEFERRED)` says them literally.
MariaDB has no partial indexes; its column `pool` says of several states in one word, so that one range is read.
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Lookup


class InPool(Lookup):
    """The jobs in one of several states. A lookup, because Django compares any other condition with 1 on MariaDB."""

    prepare_rhs = False

    def __init__(self, pool: str, literal: str) -> None:
        super().__init__(F("state"), pool)
        self.literal = literal

    def text(self, vendor: str) -> str:
        """Return the condition for a query of nothing but jobs."""
        return f"pool = '{self.rhs}'" if vendor == "mysql" else self.literal

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        state, _ = compiler.compile(self.lhs)
        table, _, _ = state.rpartition(".")
        return f"{table}.{self.text(connection.vendor)}", ()


DEFERRED = InPool("deferred", "state IN ('failed', 'scheduled')")
DONE = InPool("done", "state IN ('cancelled', 'completed')")
