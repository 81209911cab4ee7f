"""Rows and values for tests: valid in every field, and the same every time. A test names only what it is about."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from jobs.models import Job, Supervisor
from jobs.new_job import NewJob
from jobs.outcome import Advice, Claim, Outcome, Output
from jobs.states import FINAL, Ending, Kind, State
from tests.clock import NOW, after

_ENDINGS = {
    State.COMPLETED: Ending.COMPLETED,
    State.FAILED: Ending.FAILED,
    State.DEAD: Ending.FAILED,
    State.CANCELLED: Ending.CANCELLED,
}
_CLAIMED = frozenset({State.PROCESSING, State.COMPLETED, State.FAILED, State.DEAD})  # have been claimed once, at least


def make_supervisor(**fields: Any) -> Supervisor:
    """Store a supervisor that started and gave its only sign of life at NOW."""
    defaults: dict[str, Any] = {
        "marker": "0" * 32,
        "host": "host1",
        "machine": "machine1",
        "pid": 4_000,
        "process_started": "1",
        "version": "1.0",
        "worker_count": 1,
        "thread_count": 1,
        "lease_seconds": 60.0,
        "started_at": NOW,
        "heartbeat_at": NOW,
    }
    return Supervisor.objects.create(**(defaults | fields))


def make_job(**fields: Any) -> Job:
    """Store a pending shell job called `job1`, or one of another state with all that belongs to it.

    A processing one gets a supervisor of its own.
    """
    (job,) = make_jobs([fields])
    return job


def make_jobs(each: Iterable[Mapping[str, Any]]) -> list[Job]:
    """Store many at once."""
    return Job.objects.bulk_create([_job(**fields) for fields in each])


def _job(*, state: State = State.PENDING, **fields: Any) -> Job:
    defaults: dict[str, Any] = {
        "id": "job1",
        "kind": Kind.SHELL,
        "run_at": after(seconds=60) if state is State.SCHEDULED else NOW,
        "enqueued_at": NOW,
        "attempts": int(state in _CLAIMED),
        "fence": int(state in _CLAIMED),
        "claimed_at": NOW if state in _CLAIMED else None,
        "finished_at": NOW if state in FINAL else None,
        "outcome": _ENDINGS.get(state),
    }
    if fields.get("kind") != Kind.TASK:
        defaults["command"] = "true"
    if state is State.PROCESSING and "supervisor" not in fields and "supervisor_id" not in fields:
        defaults["supervisor"] = make_supervisor()
    return Job(state=state, **(defaults | fields))


def make_new_job(**fields: Any) -> NewJob:
    """Return a request for a shell job that leaves everything else to the queue."""
    defaults: dict[str, Any] = {"id": None, "kind": Kind.SHELL, "command": "true"}
    return NewJob(**(defaults | fields))


def make_claim(*, job: Job | None = None, **fields: Any) -> Claim:
    """Return the claim of `job` as its supervisor holds it; without one, of the first attempt of `job1`."""
    defaults: dict[str, Any] = {"id": "job1", "supervisor_id": 1, "fence": 1, "attempt": 1}
    defaults |= {"kind": Kind.SHELL, "queue": "default"}
    defaults |= {"command": "true", "enqueued_at": NOW, "run_at": NOW, "claimed_at": NOW}
    if job is not None:
        defaults |= {name: getattr(job, name) for name in ("id", "fence", "queue", "max_retries", "postponements")}
        defaults |= {"attempt": job.attempts, "supervisor_id": job.supervisor_id or 1}
    as_json = {f"{name}_json": json.dumps(fields.pop(name)) for name in ("env", "args", "kwargs") if name in fields}
    return Claim(**(defaults | fields | as_json))


def make_outcome(*, ending: Ending = Ending.COMPLETED, advice: Advice = Advice.RETRY, **fields: Any) -> Outcome:
    """Return the end of an attempt that ran from NOW for one second."""
    defaults: dict[str, Any] = {
        "started_at": NOW,
        "finished_at": after(seconds=1),
        "run_seconds": 1.0,
        "pid": 4_001,
        "exit_code": 0 if ending is Ending.COMPLETED else 1,
        "error": None if ending is Ending.COMPLETED else "exit code 1",
        "output": Output(head="printed\n"),
    }
    return Outcome(ending=ending, advice=advice, **(defaults | fields))
