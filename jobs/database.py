"""The database that holds the queue: the project's own, or one of its own where `JOBS["DATABASE"]` names it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from jobs import conf


class _QueueConnection:
    """Stands for this thread's connection to the queue's database, as `django.db.connection` does for the default."""

    def __getattr__(self, name: str) -> Any:
        alias = conf.database_alias()
        if alias not in connections:
            raise ImproperlyConfigured(f'JOBS["DATABASE"] is {alias!r}, which is not in DATABASES')
        return getattr(connections[alias], name)


connection = cast(BaseDatabaseWrapper, _QueueConnection())


@contextmanager
def atomic() -> Iterator[None]:
    """Make a transaction on the queue's database, which as a decorator is asked for at each call.

    Asked once, at the import, it was that of the settings at that moment, whatever a test made of them later.
    """
    with transaction.atomic(using=conf.database_alias()):
        yield
