"""Seeing to the database after an enqueue, where no supervisor does: jobs may be stored for days before one starts."""

import logging
import time

from django.db import Error, transaction

from jobs import conf, sql
from jobs.database import connection

logger = logging.getLogger("jobs.queue")

# Between two looks of a process. At full speed a log grows by 20 MB meanwhile, and where a reader keeps it from being
# shortened, trying takes no more than some percent of the time.
LOOK_SECONDS = 0.5

_looked_at = 0.0  # on the monotonic clock


def relieve() -> None:
    """Have a log shortened that has become long, when the transaction around this call, if any, has committed."""
    if sql.for_connection(connection).HAS_LOG:
        transaction.on_commit(_look, using=conf.database_alias(), robust=True)


def _look() -> None:
    global _looked_at
    now = time.monotonic()
    if now - _looked_at < LOOK_SECONDS:
        return
    _looked_at = now
    try:
        sql.for_connection(connection).relieve(connection)
    except Error as error:  # what was stored is stored; the next one tries again
        logger.info("could not shorten the log: %s", error)
