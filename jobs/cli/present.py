"""Jobs and attempts in the two forms that the command line shows: JSON for programs, words for people."""

from datetime import datetime
from typing import Any

from jobs import durations, masking, moments
from jobs.cli.table import Cell
from jobs.models import Attempt, Job
from jobs.queue import Policies
from jobs.states import DEFERRED, Ending, State

STATE_STYLES = {
    State.PROCESSING: "blue",
    State.COMPLETED: "green",
    State.FAILED: "yellow",
    State.DEAD: "red",
    State.CANCELLED: "dim",
}
JOB_KEYS = (
    "id", "kind", "command", "task", "queue", "state", "priority", "attempts", "max_retries", "run_at", "enqueued_at",
    "started_at", "finished_at", "exit_code", "outcome", "error",
)  # fmt: skip


def job_json(job: Job, policies: Policies) -> dict[str, Any]:
    """Return the keys every job has. `max_retries` is what holds: the job's own, or its queue's."""
    return {key: getattr(job, key) for key in JOB_KEYS} | {"max_retries": max_retries(job, policies)}


def job_details_json(job: Job, attempts: list[Attempt], policies: Policies) -> dict[str, Any]:
    """Return all that is known of one job, secrets masked."""
    return job_json(job, policies) | {
        "uses_shell": job.uses_shell if job.command is not None else None,
        "backend": job.backend,
        "cwd": job.cwd,
        "env": masking.masked(job.env),
        "args": masking.masked(job.args),
        "kwargs": masking.masked(job.kwargs),
        "timeout_seconds": timeout_seconds(job, policies),
        "claimed_at": job.claimed_at,
        "cancel_requested_at": job.cancel_requested_at,
        "postponements": job.postponements,
        "return_value": masking.masked(job.return_value),
        "attempt_history": [attempt_json(attempt) for attempt in attempts],
    }


ATTEMPT_KEYS = (
    "number",
    "host",
    "pid",
    "started_at",
    "finished_at",
    "run_seconds",
    "outcome",
    "exit_code",
    "error",
    "exception_class",
    "progress",
    "progress_message",
)


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {key: getattr(attempt, key) for key in ATTEMPT_KEYS}


def max_retries(job: Job, policies: Policies) -> int:
    return int(policies.value("max_retries", job.queue)) if job.max_retries is None else job.max_retries


def timeout_seconds(job: Job, policies: Policies) -> float | None:
    """Return how long an attempt may run; None is no limit."""
    own = job.timeout_seconds
    return policies.timeout_seconds(job.queue) if own is None else own or None


def state_cell(job: Job) -> Cell:
    return Cell(job.state, STATE_STYLES.get(State(job.state)))


def tries(job: Job, policies: Policies) -> str:
    return f"{job.attempts}/{max_retries(job, policies) + 1}"


def when(job: Job, now: datetime) -> str:
    """Return the time that matters in the state the job is in."""
    if job.state in DEFERRED:
        return moments.relative(job.run_at, now=now) if job.run_at > now else "due"
    if job.state == State.PENDING:
        return f"due {moments.relative(job.run_at, now=now)}"
    if job.state == State.PROCESSING:
        return f"for {moments.rough((now - job.started_at).total_seconds())}" if job.started_at else "starting"
    return moments.relative(job.finished_at, now=now) if job.finished_at else ""


def ending(outcome: str | None, exit_code: int | None) -> str:
    """Return how an attempt ended, in words."""
    if outcome is None:
        return "running"
    word = Ending(outcome).label
    return f"{word}, exit code {exit_code}" if exit_code is not None else str(word)


def how_long(seconds: float | None) -> str:
    return "no limit" if not seconds else durations.text(seconds)


def plural(count: int, noun: str) -> str:
    """Return `1 job`, `1,280 jobs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def moment(value: datetime, now: datetime) -> str:
    """Return when, absolute and relative."""
    return f"{moments.absolute(value)} ({moments.relative(value, now=now)})"


def verdict(job: Job) -> str:
    """Return how a final job ended, to follow its id in a sentence."""
    if job.state == State.COMPLETED:
        return "completed"
    if job.state == State.CANCELLED:
        return "was cancelled"
    noun = "attempt" if job.attempts == 1 else "attempts"
    because = f": {job.error}" if job.error else ""
    return f"is dead after {job.attempts} {noun}{because}"
