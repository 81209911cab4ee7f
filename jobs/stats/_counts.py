"""How many jobs there are in each state and queue, at a cost that has a limit."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

from django.db.models import Count, QuerySet

from jobs import sql
from jobs.database import connection
from jobs.models import Job
from jobs.sql import counting
from jobs.states import State

COUNT_MAX = 1_000  # rows that one count looks at: 0.5 ms on SQLite where it must fetch each, 1.5 ms on MariaDB


@dataclass(frozen=True, slots=True)
class CappedCount:
    """A count that stopped looking at some point: `value` is exact, or if `is_capped` the least it can be."""

    value: int
    is_capped: bool = False

    def __str__(self) -> str:
        return f"{self.value:,}{'+' if self.is_capped else ''}"

    def __bool__(self) -> bool:
        return self.value > 0 or self.is_capped

    def __add__(self, other: Self) -> "CappedCount":
        return CappedCount(self.value + other.value, self.is_capped or other.is_capped)


NONE = CappedCount(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The jobs of every state, together and by queue. States and queues of which none was met are not in the mappings.

    Of the states in `cut_short` not all jobs were looked at: there may be more, also where none was met.
    """

    by_queue: Mapping[tuple[str, State], CappedCount]
    by_state: Mapping[State, CappedCount]
    cut_short: Collection[State] = ()

    def total(self, state: State) -> CappedCount:
        return self.by_state.get(state, self._unmet(state))

    def in_queue(self, queue: str, state: State) -> CappedCount:
        return self.by_queue.get((queue, state), self._unmet(state))

    def _unmet(self, state: State) -> CappedCount:
        return CappedCount(0, state in self.cut_short)

    @property
    def queues(self) -> set[str]:
        return {queue for queue, _ in self.by_queue}


def count_jobs() -> Counts:
    """Count at most `COUNT_MAX` jobs of each kind of state: the first in the order of the index that holds them.

    States that share an index share its limit. When it is reached, none of their counts is known to be the whole.
    """
    by_queue, by_state = _count_pending()
    cut_short: set[State] = set()
    for states, rows in counting.pools(connection, limit=COUNT_MAX + 1):  # one more shows that there are more
        is_capped = sum(number for _, _, number in rows) > COUNT_MAX
        cut_short |= states if is_capped else set()
        for queue, state, number in _without_one(rows) if is_capped else rows:
            by_queue[queue, State(state)] = CappedCount(number, is_capped)
            by_state[State(state)] = by_state.get(State(state), NONE) + CappedCount(number, is_capped)
    return Counts(by_queue=by_queue, by_state=by_state, cut_short=cut_short)


def _without_one(rows: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Return the rows with one job less in the largest, so that a full pool reads 1,000+ and not 1,001+."""
    largest = max(rows, key=lambda row: row[2])
    return [(queue, state, number - ((queue, state, number) == largest)) for queue, state, number in rows]


def count_jobs_exactly() -> Counts:
    """Count every job. Reads the whole table."""
    by_queue: dict[tuple[str, State], CappedCount] = {}
    by_state: dict[State, CappedCount] = {}
    for queue, state, number in Job.objects.values_list("queue", "state").annotate(Count("pk")):
        by_queue[queue, State(state)] = CappedCount(number)
        by_state[State(state)] = by_state.get(State(state), NONE) + CappedCount(number)
    return Counts(by_queue=by_queue, by_state=by_state)


def count_dead(*, queue: str | None = None) -> CappedCount:
    """Count the Dead Letter Queue, or the part of it that came from `queue`."""
    dead = Job.objects.filter(state=State.DEAD).order_by("finished_at", "pk")
    return capped_count(dead if queue is None else dead.filter(queue=queue))


def count_dead_exactly(*, queue: str | None = None) -> int:
    """Count the same, however many there are: for those who are about to touch each of them."""
    dead = Job.objects.filter(state=State.DEAD)
    return (dead if queue is None else dead.filter(queue=queue)).count()


def capped_count(jobs: QuerySet[Job]) -> CappedCount:
    number = jobs[: COUNT_MAX + 1].count()
    return CappedCount(min(number, COUNT_MAX), number > COUNT_MAX)


def _count_pending() -> tuple[dict[tuple[str, State], CappedCount], dict[State, CappedCount]]:
    pending = {queue: _count_pending_of(queue) for queue in sql.for_connection(connection).pending_queues(connection)}
    by_queue = {(queue, State.PENDING): number for queue, number in pending.items()}
    return by_queue, {State.PENDING: sum(pending.values(), NONE)} if pending else {}


def _count_pending_of(queue: str) -> CappedCount:
    return capped_count(Job.objects.filter(state=State.PENDING, queue=queue))
