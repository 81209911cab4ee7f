"""The queue's clock: the database server's where there is one, so that machines that disagree about the time do not
disagree about what is due. SQLite has none, and all who use it are on one machine.

The server is asked now and then; in between this machine's monotonic clock carries on.
"""

import time
from datetime import UTC, datetime, timedelta

from jobs import conf, sql
from jobs.database import connection

ASK_SECONDS = 60.0  # two clocks drift apart by some milliseconds in that time

_told: dict[str, tuple[datetime, float]] = {}  # by alias: what the server said, and when on the monotonic clock


def now() -> datetime:
    """Return the time. Asks the server if it was not asked for a while. Raise what the database raises."""
    answer = _told.get(conf.database_alias())
    if answer is None or time.monotonic() - answer[1] > ASK_SECONDS:
        ask()
    return estimate()


def ask() -> None:
    """Ask the server for its time."""
    before = time.monotonic()
    answer = sql.for_connection(connection).server_time(connection)
    if answer is None:
        _told.pop(conf.database_alias(), None)
    else:
        _told[conf.database_alias()] = (answer.astimezone(UTC), (before + time.monotonic()) / 2)


def estimate() -> datetime:
    """Return the time without asking anybody."""
    answer = _told.get(conf.database_alias())
    if answer is None:
        return datetime.now(UTC)
    return answer[0] + timedelta(seconds=time.monotonic() - answer[1])


def skew() -> timedelta:
    """Return how far the queue's clock is ahead of this machine's."""
    return estimate() - datetime.now(UTC) if conf.database_alias() in _told else timedelta()
