"""Columns that must mean the same on every database, where Django's own do not."""

import json
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:  # the classes that the stubs make generic are not so when they run
    _CharField = models.CharField[str, str]
    _TextField = models.TextField[Any, Any]
else:
    _CharField, _TextField = models.CharField, models.TextField

UNREADABLE = "(no JSON)"  # no job has a text for its environment: its signature does not match

# Bytes are compared, as SQLite does anyway: `Job1`, `job1` and `job1 ` are three names.
EXACT_COLLATIONS = {"postgresql": "C", "mysql": "utf8mb4_nopad_bin"}


class NameField(_CharField):
    """A name, compared byte for byte."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        return {**super().db_parameters(connection), "collation": EXACT_COLLATIONS.get(connection.vendor)}

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        # Under another name than `varchar`, which Django would give a second index for LIKE that nothing here uses.
        if connection.vendor == "postgresql":
            return f"character varying({self.max_length})"
        return super().db_type(connection) or ""


class _AnyContent:
    """Reads as text what is none: SQLite keeps bytes in any column, if somebody puts them there."""

    def from_db_value(self, value: Any, *_: object) -> Any:
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()  # type: ignore[misc]
        return name, f"django.db.models.{self.get_internal_type()}", args, kwargs  # type: ignore[attr-defined]


if TYPE_CHECKING:
    AnyCharField, AnyTextField = models.CharField, models.TextField
else:

    class AnyCharField(_AnyContent, models.CharField):
        """A short text, whatever the column holds. To migrations it is Django's own."""

    class AnyTextField(_AnyContent, models.TextField):
        """A text, whatever the column holds. To migrations it is Django's own."""


def json_text(value: Any) -> str | None:
    """Return `value` as a JSONTextField stores it."""
    if value is None:
        return None
    return "{}" if value == {} else _as_json(value)  # what most tasks have for named arguments


_as_json = json.JSONEncoder().encode


class JSONTextField(_TextField):
    """A JSON value kept as it was written. A `jsonb` column of PostgreSQL refuses NUL and lone surrogates in texts."""

    if TYPE_CHECKING:
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any

    def get_prep_value(self, value: Any) -> str | None:
        return json_text(value)

    def from_db_value(self, value: str | None, *_: object) -> Any:
        if value is None:
            return None
        try:
            return json.loads(value)
        except (ValueError, RecursionError):  # written by hand; one such row must not end all who meet it
            return UNREADABLE

    def to_python(self, value: Any) -> Any:
        return value
