"""Why a job does not run, or what became of it."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from jobs import moments
from jobs.models import Attempt, Job
from jobs.states import DEFERRED, FINAL, Ending, State
from jobs.stats._counts import CappedCount, capped_count
from jobs.stats._pace import starts_per_second
from jobs.stats._queues import Pause, pauses
from jobs.stats._supervisors import SupervisorView, serving, supervisors


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing to know about a job, in a sentence; `code` is for programs, `remedy` a command that changes it."""

    code: str
    text: str
    remedy: str | None = None


def why_waiting(job: Job, *, now: datetime) -> list[Reason]:
    """Return why `job` is not finished, the deciding reason first; for a final job, how it ended."""
    if job.state in DEFERRED and job.run_at > now:
        return [_not_due(job, now), *_obstacles(job, now)]
    if job.state == State.PROCESSING:
        return list(_running(job, now))
    if job.state in FINAL:
        return [_final(job, now)]
    return [*_obstacles(job, now)] or [_in_line(job, now)]


def _not_due(job: Job, now: datetime) -> Reason:
    due, sooner = _when(job.run_at, now), f"queuectl run-now {shlex.quote(job.pk)}"
    if job.state == State.SCHEDULED:
        return Reason(code="scheduled", text=f"it is scheduled for {due}", remedy=sooner)
    error = f": {job.error}" if job.error else ""
    text = f"attempt {job.attempts} failed{error}; the next one is due {due}"
    return Reason(code="retry", text=text, remedy=sooner)


def _obstacles(job: Job, now: datetime) -> Iterator[Reason]:
    """Yield what would keep the job from starting even if it were first in line."""
    pause = pauses(now=now).get(job.queue)
    if pause is not None:
        yield _paused(job.queue, pause)
    views = supervisors(now=now)
    if not serving(views, job.queue):
        yield _unserved(job.queue, views)


def _paused(queue: str, pause: Pause) -> Reason:
    return Reason(
        code="paused", text=f"queue {queue} is {pause.text}", remedy=f"queuectl queue resume {shlex.quote(queue)}"
    )


def _unserved(queue: str, views: list[SupervisorView]) -> Reason:
    if any(view.is_serving for view in views):
        text, remedy = f"no running worker serves queue {queue}", f"queuectl worker start --queue {shlex.quote(queue)}"
    else:
        text, remedy = "no worker is running", "queuectl worker start"
    return Reason(code="unserved", text=text, remedy=remedy)


def _in_line(job: Job, now: datetime) -> Reason:
    ahead = _jobs_ahead(job)
    if not ahead:
        return Reason(code="next", text=f"it is next in queue {job.queue}; it starts when a worker is free")
    noun = "job goes" if ahead == CappedCount(1) else "jobs go"
    text = f"{ahead} {noun} before it in queue {job.queue}{_estimate(ahead, job.queue, now)}"
    return Reason(code="behind", text=text)


def _estimate(ahead: CappedCount, queue: str, now: datetime) -> str:
    pace = starts_per_second(queue=queue, now=now)
    if not pace:
        return ""
    wait = moments.rough(ahead.value / pace)
    when = f"in {wait} or more" if ahead.is_capped else f"in about {wait}"
    return f"; as fast as its jobs started in the last 10 minutes, it starts {when}"


def _jobs_ahead(job: Job) -> CappedCount:
    """Count the pending jobs that are claimed before this one; each of the three is a range of the pending index."""
    pending = Job.objects.filter(state=State.PENDING, queue=job.queue)
    same_priority = pending.filter(priority=job.priority)
    return (
        capped_count(pending.filter(priority__gt=job.priority))
        + capped_count(same_priority.filter(run_at__lt=job.run_at))
        + capped_count(same_priority.filter(run_at=job.run_at, pk__lt=job.pk))
    )


def _running(job: Job, now: datetime) -> Iterator[Reason]:
    view = next((view for view in supervisors(now=now) if view.id == job.supervisor_id), None)
    if view is not None and not view.is_living:
        text = f"its supervisor {view} is gone; a running one takes the job back"
        yield Reason(code="orphaned", text=text, remedy="queuectl worker start")
        return
    if job.cancel_requested_at is not None:
        yield Reason(code="cancelling", text="it was asked to stop, and is about to")
    yield _running_since(job, view, now)


def _running_since(job: Job, view: SupervisorView | None, now: datetime) -> Reason:
    attempt = Attempt.objects.filter(job=job.pk, fence=job.fence).defer("output_head", "output_tail").first()
    where = f" on {view.host}" if view else ""
    if attempt is not None:
        where = f" on {attempt.host}" + (f", process {attempt.pid}" if attempt.pid else "")
    if job.started_at is not None:
        text = f"it has been running for {moments.rough((now - job.started_at).total_seconds())}{where}"
        text += _progress(attempt)
        return Reason(code="running", text=text, remedy=f"queuectl logs {shlex.quote(job.pk)} --follow")
    return Reason(code="claimed", text=f"it was claimed by a worker{where} and is about to start")


def _progress(attempt: Attempt | None) -> str:
    if attempt is None or attempt.progress is None:
        return ""
    return f"; {attempt.progress:.0%} done" + (f": {attempt.progress_message}" if attempt.progress_message else "")


def _final(job: Job, now: datetime) -> Reason:
    assert job.finished_at is not None  # a constraint of the table
    when = _when(job.finished_at, now)
    if job.state == State.COMPLETED:
        return Reason(code="completed", text=f"it completed at {when}")
    if job.state == State.CANCELLED:
        again = f"queuectl retry {shlex.quote(job.pk)}"
        return Reason(code="cancelled", text=f"it was cancelled at {when}", remedy=again)
    noun = "attempt" if job.attempts == 1 else "attempts"
    text = f"it died at {when} after {job.attempts} {noun}: {_ending(job)}"
    return Reason(code="dead", text=text, remedy=f"queuectl dlq retry {shlex.quote(job.pk)}")


def _when(moment: datetime, now: datetime) -> str:
    return f"{moments.absolute(moment)} ({moments.relative(moment, now=now)})"


def _ending(job: Job) -> str:
    if job.error:
        return job.error
    return str(Ending(job.outcome).label) if job.outcome else "no reason was recorded"
