"""Changing where a job waits, until when, and how it is retried. What it executes cannot be changed anywhere."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, F, Value, When

from jobs import new_job
from jobs.errors import InvalidInput, NotFound, QueueError, WrongState
from jobs.models import Job
from jobs.new_job import NewJob, shown
from jobs.queue._again import again_after_conflict
from jobs.queue._announce import announce
from jobs.queue._people import AFRESH, due_at
from jobs.states import FINAL, WAITING, State

UNUSED_COMMAND = "true"  # stands in where only the settings of a job are checked
# Of each key of the JSON form the column.
COLUMNS = {
    "queue": "queue",
    "priority": "priority",
    "max_retries": "max_retries",
    "backoff_base": "backoff_base",
    "backoff_max": "backoff_max_seconds",
    "timeout": "timeout_seconds",
}
CHANGEABLE = (*COLUMNS, "run_at")


def change_settings(id_: str, *, fields: Mapping[str, Any], fence: int, now: datetime) -> None:
    """Change those settings of a waiting job that `fields` names, as keys of the JSON form and read as `enqueue` does.

    None is not set; a `run_at` of None is now. A job that was due waits again if it is put off. `fence` is the job's
    when the change was thought of: raise WrongState if it has been claimed since. Or InvalidInput, or NotFound.
    """
    wanted = _wanted(fields, now)
    values = {column: getattr(wanted, column) for name, column in COLUMNS.items() if name in fields}
    if "run_at" in fields:
        values |= _waiting_until(wanted.run_at, now)
    _update(id_, states=WAITING, fence=fence, values=values)


def change_and_requeue(id_: str, *, fields: Mapping[str, Any], fence: int, now: datetime) -> None:
    """Put a final job back with some settings changed. As `change_settings`, and in one step with `requeue`.

    It runs no earlier than now, whatever `run_at` says; with a later one it is scheduled.
    """
    wanted = _wanted(fields, now)
    values = {column: getattr(wanted, column) for name, column in COLUMNS.items() if name in fields}
    run_at = max(wanted.run_at or now, now)
    state = State.SCHEDULED if run_at > now else State.PENDING
    _update(id_, states=FINAL, fence=fence, values=AFRESH | values | {"state": state, "run_at": run_at})


def _wanted(fields: Mapping[str, Any], now: datetime) -> NewJob:
    for name in fields:
        if name not in CHANGEABLE:
            raise InvalidInput(shown(name), f"cannot be changed; only {', '.join(CHANGEABLE)} can")
    # Checked as part of a whole job, so that no second reading of these fields can drift from the first.
    return new_job.from_fields({**fields, "command": UNUSED_COMMAND}, now=now)


def _waiting_until(run_at: datetime | None, now: datetime) -> dict[str, Any]:
    if run_at is None:
        return {"state": State.PENDING, "run_at": due_at(now)}
    if run_at <= now:
        return {"state": State.PENDING, "run_at": run_at}
    # A failed job stays one: what it waits for is its next attempt.
    put_off = Case(When(state=State.PENDING, then=Value(State.SCHEDULED)), default=F("state"), output_field=CharField())
    return {"state": put_off, "run_at": run_at}


@again_after_conflict
def _update(id_: str, *, states: frozenset[State], fence: int, values: Mapping[str, Any]) -> None:
    """Write `values` to a job that is in one of `states` and was not claimed since. Raise what kept it from that."""
    job = Job.objects.filter(pk=id_)
    values = values or {"queue": F("queue")}  # Django updates no row where there is nothing to set
    if not job.filter(state__in=sorted(states), fence=fence).update(**values):
        raise _refusal(id_, job.values_list("state", "fence").first(), states, fence)
    announce()


def _refusal(id_: str, found: tuple[str, int] | None, states: frozenset[State], fence: int) -> QueueError:
    if found is None:
        return NotFound(f"there is no job {shown(id_)}")
    state, fence_now = found
    if fence_now != fence:
        return WrongState(f"{shown(id_)} has started meanwhile, and is {state}; nothing was changed")
    if state in states:
        return WrongState(f"{shown(id_)} keeps changing its state; try again")
    wanted = "waiting jobs can be changed" if states == WAITING else "finished jobs can be requeued with other settings"
    return WrongState(f"{shown(id_)} is {state}; only {wanted}")
