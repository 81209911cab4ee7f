"""Enqueueing a backlog, one job at a time and a thousand at a time, and draining it with two worker processes.

All that was enqueued is drained, and each job must have left one mark, or none of the figures counts. A drain begins
when a tenth of the jobs have run, because processes do not start at one moment; it ends when the store says that the
last job has succeeded, or, where a system does not say so, when the last job has run.
"""

import time

from benchmarks import marks
from benchmarks.session import Session

ONE_BY_ONE = 1_000
FIRST_DRAIN = 1_000  # jobs, to learn how fast a system is
DRAIN_SECONDS = 2.5  # each gets as many jobs as take it about so long
DRAIN_JOBS = (1_000, 60_000)  # and no fewer and no more than that
DEADLINE_SECONDS = 90
Figures = dict[str, float]


def measure(session: Session, count: int) -> Figures:
    """Return jobs per second: `enqueue`, `enqueue_bulk` where the system can do that, `drain`."""
    figures = _enqueue(session, count)
    session.store.settle(session.url)
    session.start_workers()
    session.wait_for_marks(count, seconds=DEADLINE_SECONDS)
    ended_at = _recorded_at(session, count)
    session.stop_workers()
    found = marks.read(session.marks)
    marks.refuse_inexact(found, range(count))
    begun = count // 10
    ended_at = ended_at or found[-1][1]
    return figures | {"drain": (count - begun) / (ended_at - found[begun - 1][1]) * 1e9}


def jobs_for(rate: float) -> int:
    """Return how many jobs a system of this rate gets, in whole thousands."""
    least, most = DRAIN_JOBS
    return max(least, min(most, round(rate * DRAIN_SECONDS / 1_000) * 1_000))


def _enqueue(session: Session, count: int) -> Figures:
    if not session.ask("has_bulk"):
        return {"enqueue": count / session.ask("enqueue", first=0, count=count)}
    alone = min(ONE_BY_ONE, count // 2)
    many = count - alone
    return {
        "enqueue": alone / session.ask("enqueue", first=0, count=alone),
        "enqueue_bulk": many / session.ask("enqueue_many", first=alone, count=many),
    }


def _recorded_at(session: Session, count: int) -> int | None:
    """Return when the store said that all have succeeded, in nanoseconds since 1970; None if it does not say."""
    if session.ask("completed") is None:
        return None
    session.wait_until(
        lambda: session.ask("completed") >= count, seconds=DEADLINE_SECONDS, what=f"{count:,} are recorded as completed"
    )
    return time.time_ns()
