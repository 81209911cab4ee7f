"""Making a transaction again that the database undid for the sake of another one."""

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import Error

from jobs import sql
from jobs.database import connection

TRIES = 5
PAUSE_SECONDS = 0.05  # at most, before the second try; more before each further one

P = ParamSpec("P")
R = TypeVar("R")


def again_after_conflict(function: Callable[P, R]) -> Callable[P, R]:
    """Repeat a function that is one transaction, or a part that is undone as a whole, after a deadlock.

    Inside a transaction of the caller it is not repeated: the database has undone that one, too.
    """

    @functools.wraps(function)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
        for number in range(1, TRIES):
            try:
                return function(*args, **kwargs)
            except Error as error:
                if connection.in_atomic_block or not sql.for_connection(connection).is_conflict(error):
                    raise
            time.sleep(random.uniform(0, PAUSE_SECONDS * number))  # noqa: S311 - keeps the two apart, protects nothing
        return function(*args, **kwargs)

    return repeated
