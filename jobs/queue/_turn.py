"""The hot path: what a supervisor does in one transaction. Record what ended, promote what is due, claim the next."""

import functools
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from jobs import retry, sql
from jobs.database import atomic, connection
from jobs.models import Attempt, Job
from jobs.outcome import AttemptSummary, Claim, Outcome, Output, storable
from jobs.queue._config import Policies
from jobs.sql import conditions, rows
from jobs.sql.rows import Finish, QueueSettings
from jobs.states import Kind, State

logger = logging.getLogger("jobs.queue")

HISTORY_ERROR_MAX_CHARACTERS = 2_000  # of each attempt before, with a claim; a result read from outside has it whole
PROMOTED_PER_TURN_MAX = 1_000  # a million jobs due at one instant do not hold the write lock for seconds


class Ended(NamedTuple):
    """A claim and how it ended; `outcome` of None: it was never started, and is given back."""

    claim: Claim
    outcome: Outcome | None


class Recorded(NamedTuple):
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
    policy_of = functools.cache(policies.retry)
    finishes = [_finish(end, policy_of=policy_of, now=now, chance=chance()) for end in ended]
    attempts = [outcome and _attempt_row(claim, outcome, host) for claim, outcome in ended]
    states = sql.for_connection(connection).finish(connection, finishes, attempts)
    return [Recorded(*end, states[end.claim.id]) for end in ended if end.claim.id in states]


def recorded_before(ended: Sequence[Ended]) -> list[Ended]:
    """Return those of `ended` that are recorded already: by a transaction whose answer never came."""
    endings = {(end.claim.id, end.claim.fence): end.outcome.ending for end in ended if end.outcome is not None}
    attempts = Attempt.objects.filter(job__in={id_ for id_, _ in endings}).values_list("job", "fence", "outcome")
    stored = {(id_, fence) for id_, fence, outcome in attempts if endings.get((id_, fence)) == outcome}
    return [end for end in ended if (end.claim.id, end.claim.fence) in stored]


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


def _finish(end: Ended, *, policy_of: Callable[[str], retry.Policy], now: datetime, chance: float) -> Finish:
    claim, outcome = end
    if outcome is None:
        return _unstarted(claim, now)
    decision = retry.decide(claim=claim, outcome=outcome, policy=policy_of(claim.queue), chance=chance)
    return Finish(
        id=claim.id,
        fence=claim.fence,
        supervisor_id=claim.supervisor_id,
        state=decision.state,
        state_if_cancelled=State.COMPLETED if decision.state is State.COMPLETED else State.CANCELLED,
        outcome=outcome.ending,
        exit_code=outcome.exit_code,
        error=storable(outcome.error),
        return_value=outcome.return_value,
        started_at=outcome.started_at,
        ended_at=outcome.finished_at,
        run_at=decision.run_at,
        refund=decision.refund,
        postponed=decision.postponed,
    )


def _unstarted(claim: Claim, now: datetime) -> Finish:
    return Finish(
        id=claim.id,
        fence=claim.fence,
        supervisor_id=claim.supervisor_id,
        state=State.PENDING,
        state_if_cancelled=State.CANCELLED,
        ended_at=now,
        refund=1,
    )


def _attempt_row(claim: Claim, outcome: Outcome, host: str) -> tuple[Any, ...]:
    """Return the values of ATTEMPT_COLUMNS."""
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
        outcome.exception_class,
        storable(outcome.traceback),
        *_shown(outcome.output),
    )


def _shown(output: Output) -> tuple[Any, ...]:
    message, head, tail = (storable(text) for text in (output.progress_message, output.head, output.tail))
    return (output.progress, message, head, tail, output.dropped_bytes)


def note_running(claim: Claim, *, pid: int, started_at: datetime, output: Output, host: str) -> bool:
    """Show an attempt while it runs: where, since when, and what it printed so far. Return whether it is still ours."""
    owned = Job.objects.filter(pk=claim.id, supervisor=claim.supervisor_id, fence=claim.fence, state=State.PROCESSING)
    running = (claim.id, claim.fence, claim.attempt, host, pid, started_at, *(None,) * 7)
    with atomic():
        if not owned.update(started_at=started_at):
            return False
        sql.for_connection(connection).record_attempts(connection, [(*running, *_shown(output))])
    return True


def promote(*, now: datetime) -> int:
    """Make due jobs pending: those whose scheduled time or whose backoff is over. Return how many.

    Those that another supervisor is promoting at this moment are left to it.
    """
    deferred = Job.objects.filter(conditions.DEFERRED, run_at__lte=now).order_by("run_at")
    due = list(deferred.select_for_update(skip_locked=True).values_list("pk", flat=True)[:PROMOTED_PER_TURN_MAX])
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
    taken = dialect.claim(connection, queues=queues, limit=limit, supervisor_id=supervisor_id, now=now)

    @functools.cache
    def settings(queue: str) -> QueueSettings:
        return QueueSettings(policies.timeout_seconds(queue), int(policies.value("max_retries", queue)))

    zone = connection.timezone
    return _with_histories(rows.claims(taken, zone=zone, supervisor_id=supervisor_id, now=now, settings=settings))


def _with_histories(claims: list[Claim]) -> list[Claim]:
    """Return claims with the attempts before theirs. Not a query where none has a past, which is nearly always."""
    ids = [claim.id for claim in claims if claim.fence > 1 and claim.kind == Kind.TASK]
    if not ids:
        return claims
    histories: dict[str, list[AttemptSummary]] = defaultdict(list)
    for attempt in Attempt.objects.filter(job__in=ids).defer("output_head", "output_tail").order_by("fence"):
        summary = attempt.as_summary()
        error = summary.error and summary.error[-HISTORY_ERROR_MAX_CHARACTERS:]
        histories[attempt.job_id].append(summary._replace(error=error))
    return [claim._replace(history=tuple(histories[claim.id])) for claim in claims]


def next_due_at() -> datetime | None:
    """Return when the next scheduled job or retry is due; None if nothing is deferred."""
    deferred = Job.objects.filter(conditions.DEFERRED).order_by("run_at")
    return deferred.values_list("run_at", flat=True).first()


def cancels_asked(*, supervisor_id: int) -> list[tuple[str, int]]:
    """Return the id and fence of each job this supervisor holds and a person wants stopped."""
    held = Job.objects.filter(state=State.PROCESSING, supervisor=supervisor_id, cancel_requested_at__isnull=False)
    return list(held.values_list("pk", "fence"))
