"""Waking the supervisors that wait, where the database can tell them; elsewhere they look by themselves."""

import logging
import threading
import time
from collections.abc import Iterable
from functools import partial

from django.db import Error, transaction

from jobs import conf, sql
from jobs.database import connection
from jobs.models import ALL_QUEUES

logger = logging.getLogger("jobs.queue")

# Who hears of a queue then looks by itself for longer than that (`jobs.sql.listening`), so one word in that time will
# do: each takes a lock that all databases of the server share.
QUIET_SECONDS = 0.02

_lock = threading.Lock()
_told_at: dict[str, float] = {}  # by queue, on the monotonic clock


def announce(queues: Iterable[str] = (ALL_QUEUES,)) -> None:
    """Wake those that wait for jobs of `queues`, when the transaction around this call, if any, has committed."""
    if sql.for_connection(connection).CAN_ANNOUNCE:
        transaction.on_commit(partial(_tell, frozenset(queues)), using=conf.database_alias(), robust=True)


def _tell(queues: frozenset[str]) -> None:
    for queue in sorted(queues):
        if _is_quiet_over(queue):
            try:
                sql.for_connection(connection).announce(connection, queue)
            except Error as error:  # what was stored is stored; a supervisor finds it within a second
                logger.info("could not announce a job of queue=%s: %s", queue, error)


def _is_quiet_over(queue: str) -> bool:
    now = time.monotonic()
    with _lock:
        if now - _told_at.get(queue, -QUIET_SECONDS) < QUIET_SECONDS:
            return False
        _told_at[queue] = now
        return True
