"""Values that the queue hands to the database modules, and reads from them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

from jobs.outcome import Claim
from jobs.states import Ending, State

# What a claim is made of, in this order.
CLAIM_COLUMNS = (
    "id, fence, attempts, kind, queue, enqueued_at, run_at, command, uses_shell, cwd, env, signature, task, args, "
    "kwargs, backend, max_retries, backoff_base, backoff_max_seconds, timeout_seconds, postponements, priority"
)
# What a new job is made of, in this order. The database gives no column a default.
JOB_COLUMNS = (
    "id", "kind", "queue", "state", "priority", "command", "uses_shell", "cwd", "env", "signature", "task", "args",
    "kwargs", "backend", "max_retries", "backoff_base", "backoff_max_seconds", "timeout_seconds", "run_at",
    "enqueued_at", "attempts", "postponements", "fence",
)  # fmt: skip
# The same on every database; what is done about an id that is taken is not.
INSERT_JOB = """
INSERT INTO jobs_job (id, kind, queue, state, priority, command, uses_shell, cwd, env, signature, task, args,
                      kwargs, backend, max_retries, backoff_base, backoff_max_seconds, timeout_seconds, run_at,
                      enqueued_at, attempts, postponements, fence)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
ATTEMPT_COLUMNS = (
    "job_id", "fence", "number", "host", "pid", "started_at", "finished_at", "run_seconds", "outcome", "exit_code",
    "error", "exception_class", "traceback", "progress", "progress_message", "output_head", "output_tail",
    "output_dropped_bytes",
)  # fmt: skip


class Finish(NamedTuple):
    """The end of one claim, as it is written to the job's row.

    `state` holds unless a person asked to cancel the job meanwhile; then `state_if_cancelled` does. `run_at` of None
    leaves the column as it is; `outcome` of None (claimed, never started) leaves how the attempt before it ended.
    """

    id: str
    fence: int
    supervisor_id: int
    state: State
    state_if_cancelled: State
    ended_at: datetime
    outcome: Ending | None = None
    exit_code: int | None = None
    error: str | None = None
    return_value: str | None = None
    started_at: datetime | None = None
    run_at: datetime | None = None
    refund: int = 0
    postponed: int = 0


class QueueSettings(NamedTuple):
    """What holds for the jobs of a queue that have no value of their own. `timeout_seconds` of None is no limit."""

    timeout_seconds: float | None
    max_retries: int


def claims(
    taken: Iterable[Sequence[Any]],
    *,
    zone: tzinfo | None,
    supervisor_id: int,
    now: datetime,
    settings: Callable[[str], QueueSettings],
) -> list[Claim]:
    """Return claims, made of rows of CLAIM_COLUMNS, the most urgent first. `settings` is asked for those of a queue.

    `zone` is that of the times in the database: UTC, unless the project has set TIME_ZONE for it.
    """
    return [
        _claim(row, zone=zone, supervisor_id=supervisor_id, now=now, settings=settings(row[4]))
        for row in sorted(taken, key=_urgency)
    ]


def _urgency(row: Sequence[Any]) -> tuple[Any, ...]:
    return -row[-1], row[6], row[0]


def _claim(
    row: Sequence[Any], *, zone: tzinfo | None, supervisor_id: int, now: datetime, settings: QueueSettings
) -> Claim:
    (id_, fence, attempt, kind, queue, enqueued_at, run_at, command, uses_shell, cwd, env, signature, *rest) = row
    (task, args, kwargs, backend, max_retries, backoff_base, backoff_max_seconds, timeout_seconds, *rest) = rest
    postponements, _priority = rest
    return Claim(
        id=id_,
        supervisor_id=supervisor_id,
        fence=fence,
        attempt=attempt,
        kind=kind,
        queue=queue,
        enqueued_at=enqueued_at.replace(tzinfo=zone).astimezone(UTC),
        run_at=run_at.replace(tzinfo=zone).astimezone(UTC),
        claimed_at=now,
        command=command,
        uses_shell=bool(uses_shell),
        cwd=cwd,
        env_json=env,
        signature=signature,
        task=task,
        args_json=args,
        kwargs_json=kwargs,
        backend=backend,
        max_retries=max_retries,
        backoff_base=backoff_base,
        backoff_max_seconds=backoff_max_seconds,
        timeout_seconds=(settings.timeout_seconds if timeout_seconds is None else timeout_seconds) or None,
        postponements=postponements,
        queue_max_retries=settings.max_retries,
    )
