"""Telling a person that the database is busy or gone, where they asked for a change."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.db import Error
from django.http import HttpRequest

from jobs import sql
from jobs.database import connection


@contextmanager
def told(request: HttpRequest) -> Iterator[None]:
    """Turn an error of the database that means no more than that into a message; all others go on."""
    try:
        yield
    except Error as error:
        unavailable = sql.for_connection(connection).explain(connection, error)
        if unavailable is None:
            raise
        messages.error(request, str(unavailable))
