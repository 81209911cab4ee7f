"""The hot path: what a supervisor does in one transaction. Record what ended, promote what is due, claim the next."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from jobs import retry, sql
from jobs.models import Job
from jobs.outcome import Claim, Outcome, Output, storable
from jobs.queue._config import Policies
from jobs.sql import conditions
from jobs.sql.rows import Finish
from jobs.states import State

logger = logging.getLogger("jobs.queue")

PROMOTED_PER_TURN_MAX = 1_000  # a million jobs due at one instant do not hold the write lock for seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A claim and how it ended; `outcome` of None: it was never started, and is given back."""

    claim: Claim
    outcome: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A claim whose end was stored, and the state its job is in now."""

    claim: Claim
    outcome: Outcome | None
    state: State


def record(
    ended: Sequence[Ended], *, policies: Policies, host: str, now: datetime, chance: Callable[[], float]
) -> list[Recorded]:
    """Store the ends of claims. Those whose fence no longer matches are dropped: their job has a newer truth.

    `chance` gives random numbers in [0, 1) for the jitter.
    """
    if not ended:
        return []
    finishes = [_finish(end, policies=policies, now=now, chance=chance()) for end in ended]
    dialect = sql.for_connection(connection)
    states = dialect.finish(connection, finishes)
    recorded = [
        Recorded(claim=end.claim, outcome=end.outcome, state=states[end.claim.id])
        for end in ended
        if end.claim.id in states
    ]
    rows = [_attempt_row(item.claim, item.outcome, host) for item in recorded if item.outcome is not None]
    dialect.record_attempts(connection, rows)
    return recorded


def log(recorded: Sequence[Recorded]) -> None:
    """Say what happened to jobs. To be called when the transaction that recorded it has committed."""
    for item in recorded:
        claim, outcome = item.claim, item.outcome
        if outcome is None:
            continue
        level = _LEVELS.get(item.state, logging.INFO)
        if logger.isEnabledFor(level):
            error = f" {outcome.error}" if outcome.error else ""
            arguments = (item.state, claim.id, claim.queue, claim.attempt, outcome.run_seconds, error)
            logger.log(level, "job %s id=%s queue=%s attempt=%s seconds=%.3f%s", *arguments)


_LEVELS = {State.FAILED: logging.WARNING, State.DEAD: logging.ERROR}


def _finish(end: Ended, *, policies: Policies, now: datetime, chance: float) -> Finish:
    if end.outcome is None:
        return _unstarted(end.claim, now)
    outcome = end.outcome
    decision = retry.decide(claim=end.claim, outcome=outcome, policy=policies.retry(end.claim.queue), chance=chance)
    return Finish(
        id=end.claim.id,
        supervisor_id=end.claim.supervisor_id,
        fence=end.claim.fence,
        state=decision.state,
        state_if_cancelled=State.COMPLETED if decision.state is State.COMPLETED else State.CANCELLED,
        ending=outcome.ending,
        exit_code=outcome.exit_code,
        error=storable(outcome.error),
        started_at=outcome.started_at,
        ended_at=outcome.finished_at,
        run_at=decision.run_at,
        refund=decision.refund,
        postponed=decision.postponed,
    )


def _unstarted(claim: Claim, now: datetime) -> Finish:
    return Finish(
        id=claim.id,
        supervisor_id=claim.supervisor_id,
        fence=claim.fence,
        state=State.PENDING,
        state_if_cancelled=State.CANCELLED,
        ending=None,
        exit_code=None,
        error=None,
        started_at=None,
        ended_at=now,
        run_at=None,
        refund=1,
        postponed=0,
    )


ATTEMPT_COLUMNS = (
    "job_id", "fence", "number", "host", "pid", "started_at", "finished_at", "run_seconds", "outcome", "exit_code",
    "error", "traceback", "output_head", "output_tail", "output_dropped_bytes",
)  # fmt: skip


def _attempt_row(claim: Claim, outcome: Outcome, host: str) -> tuple[Any, ...]:
    return (
        claim.id,
        claim.fence,
        claim.attempt,
        host,
        outcome.pid,
        outcome.started_at,
        outcome.finished_at,
        outcome.run_seconds,
        outcome.ending,
        outcome.exit_code,
        storable(outcome.error),
        storable(outcome.traceback),
        storable(outcome.output.head),
        storable(outcome.output.tail),
        outcome.output.dropped_bytes,
    )


def note_running(claim: Claim, *, pid: int, started_at: datetime, output: Output, host: str) -> bool:
    """Show an attempt while it runs: where, since when, and what it printed so far. Return whether it is still ours."""
    owned = Job.objects.filter(pk=claim.id, supervisor=claim.supervisor_id, fence=claim.fence, state=State.PROCESSING)
    running = (claim.id, claim.fence, claim.attempt, host, pid, started_at, None, None, None, None, None, None)
    printed = (storable(output.head), storable(output.tail), output.dropped_bytes)
    with transaction.atomic():
        if not owned.update(started_at=started_at):
            return False
        sql.for_connection(connection).record_attempts(connection, [(*running, *printed)])
    return True


def promote(*, now: datetime) -> int:
    """Make due jobs pending: those whose scheduled time or whose backoff is over. Return how many."""
    deferred = Job.objects.filter(conditions.DEFERRED, run_at__lte=now).order_by("run_at")
    due = list(deferred.values_list("pk", flat=True)[:PROMOTED_PER_TURN_MAX])
    if not due:
        return 0
    return Job.objects.filter(conditions.DEFERRED, pk__in=due).update(state=State.PENDING)


def open_queues(*, queues: Sequence[str] | None, policies: Policies) -> list[str]:
    """Return which of `queues` (None: all) have pending jobs and are not paused. Takes no lock."""
    pending = sql.for_connection(connection).pending_queues(connection)
    return [queue for queue in pending if (queues is None or queue in queues) and not policies.is_paused(queue)]


def claim(
    *, supervisor_id: int, queues: Sequence[str] | None, limit: int, policies: Policies, now: datetime
) -> list[Claim]:
    """Take at most `limit` pending jobs of `queues` (None: all) that are not paused, the most urgent first."""
    queues = open_queues(queues=queues, policies=policies)
    if not queues or limit < 1:
        return []
    dialect = sql.for_connection(connection)
    claims = dialect.claim(connection, queues=queues, limit=limit, supervisor_id=supervisor_id, now=now)
    return [_with_timeout(taken, policies) for taken in claims]


def _with_timeout(taken: Claim, policies: Policies) -> Claim:
    if taken.timeout_seconds is not None:
        return replace(taken, timeout_seconds=taken.timeout_seconds or None)
    return replace(taken, timeout_seconds=policies.timeout_seconds(taken.queue))


def next_due_at() -> datetime | None:
    """Return when the next scheduled job or retry is due; None if nothing is deferred."""
    deferred = Job.objects.filter(conditions.DEFERRED).order_by("run_at")
    return deferred.values_list("run_at", flat=True).first()


def cancels_asked(*, supervisor_id: int) -> list[tuple[str, int]]:
    """Return the id and fence of each job this supervisor holds and a person wants stopped."""
    held = Job.objects.filter(state=State.PROCESSING, supervisor=supervisor_id, cancel_requested_at__isnull=False)
    return list(held.values_list("pk", "fence"))
