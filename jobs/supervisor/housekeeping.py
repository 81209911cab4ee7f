"""What keeps the tables in order, a moment at a time between turns: pruning, folding counters, noting the depth."""

import itertools
import logging
import time
from collections.abc import Iterator
from datetime import datetime

from jobs import queue, schema, sql
from jobs.database import connection

logger = logging.getLogger("jobs.supervisor")

ROUND_SECONDS = 60.0  # from one search for what is old to the next
MOMENT_SECONDS = 0.1  # of each second at most: thousands of jobs a second


class Housekeeper:
    """Keeps house for one supervisor."""

    def __init__(self) -> None:
        self._next_round = time.monotonic() + ROUND_SECONDS
        self._work: Iterator[int] = iter(())
        self._minute: int | None = None  # of the hour, in which the depth was noted last
        self._unknown_migrations: list[str] = []

    def keep(self, *, policies: queue.Policies, is_eldest: bool, now: datetime) -> None:
        """Do a moment's work. `is_eldest`: of the supervisors that live, this one does what only one should."""
        if is_eldest:
            sql.for_connection(connection).maintain(connection)
            self._note_depth(now)
        if time.monotonic() >= self._next_round:
            self._next_round = time.monotonic() + ROUND_SECONDS
            folding = queue.fold_counters(now=now) if is_eldest else ()
            self._work = itertools.chain(queue.prune(policies=policies, now=now), folding)
            queue.forget_old(now=now)
            self._mind_schema()
        until = time.monotonic() + MOMENT_SECONDS
        while time.monotonic() < until and next(self._work, None):
            pass

    def _note_depth(self, now: datetime) -> None:
        if now.minute != self._minute:
            queue.note_depth(now=now)
            self._minute = now.minute

    def _mind_schema(self) -> None:
        """Say so if newer code has changed the tables; what this code needs of them is there until all have it."""
        unknown = schema.unknown()
        if unknown and unknown != self._unknown_migrations:
            logger.warning("the database is newer than this code (%s): restart with the new one", ", ".join(unknown))
        self._unknown_migrations = unknown
