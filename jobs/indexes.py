"""Indexes over the jobs in some states."""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q


class StateIndex(models.Index):
    """An index over the jobs in `states`, a partial one where the database has those.

    MariaDB has none: there the state leads the index, or for several states the column `pool`, which stands for them
    (`jobs.sql.mysql`). An index with `is_owned` needs no such help: its first column is NULL in all other states.
    """

    def __init__(
        self, *, fields: Sequence[str], states: Sequence[str], name: str | None, is_owned: bool = False, **options: Any
    ) -> None:
        super().__init__(fields=list(fields), name=name, **options)
        self.states = tuple(map(str, states))
        self.is_owned = is_owned

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        path, expressions, options = super().deconstruct()
        return path, expressions, options | {"states": self.states, "is_owned": self.is_owned}

    def create_sql(
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor, using: str = "", **options: Any
    ) -> Any:
        if schema_editor.connection.features.supports_partial_indexes:
            condition = Q(state__in=self.states) if len(self.states) > 1 else Q(state=self.states[0])
            partial = models.Index(fields=self.fields, name=self.name, condition=condition)
            return partial.create_sql(model, schema_editor, using, **options)
        return self._whole(model, schema_editor)

    def _whole(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str:
        quote = schema_editor.quote_name
        orders = schema_editor.connection.features.supports_index_column_ordering
        columns = [
            f"{quote(_column(model, name))} {order if orders else ''}".strip() for name, order in self.fields_orders
        ]
        if not self.is_owned:
            columns.insert(0, quote("state" if len(self.states) == 1 else "pool"))
        return f"CREATE INDEX {quote(self.name)} ON {quote(model._meta.db_table)} ({', '.join(columns)})"


def _column(model: type[models.Model], name: str) -> str:
    field = model._meta.get_field(name)
    assert isinstance(field, models.Field)
    return str(field.column)
