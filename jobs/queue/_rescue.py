"""Taking back the jobs of a supervisor that died."""

import logging
from datetime import datetime

from jobs.database import atomic
from jobs.models import Attempt, Job, Supervisor
from jobs.outcome import Advice, Claim, Outcome, Output
from jobs.queue._config import load_policies
from jobs.queue._counters import count
from jobs.queue._turn import Ended, Recorded, log, record
from jobs.states import Ending, State

logger = logging.getLogger("jobs.queue")

RESCUED_PER_TRANSACTION = 200  # short enough not to hold up a claim


def rescue(*, supervisor: Supervisor, now: datetime) -> list[Recorded]:
    """Take back what a lost supervisor held: each job has spent its attempt, and its next one may start at once.

    The backoff is for jobs that fail; these did nothing wrong. A rescuer that dies in between leaves the rest to the
    next one.
    """
    rescued: list[Recorded] = []
    while batch := _rescue_batch(supervisor, now):
        rescued += batch
    return rescued


def _rescue_batch(supervisor: Supervisor, now: datetime) -> list[Recorded]:
    with atomic():
        held = Job.objects.filter(state=State.PROCESSING, supervisor=supervisor).order_by("pk")
        # Locked: a supervisor that was taken for dead and wakes may be telling that they run.
        jobs = list(held.select_for_update()[:RESCUED_PER_TRANSACTION])
        running = {attempt.job_id: attempt for attempt in Attempt.objects.filter(job__in=jobs, outcome__isnull=True)}
        ended = [
            Ended(claim=_claim(job, supervisor.pk, now), outcome=_lost(job, running.get(job.pk), supervisor, now))
            for job in jobs
        ]
        recorded = record(ended, policies=load_policies(now=now), host=supervisor.host, now=now, chance=_never)
        # Under the name of the lost one, which writes no more: the rescuer keeps its own counts in memory.
        count(recorded=recorded, claims=(), known={}, writer=supervisor.pk, now=now)
    log(recorded)
    return recorded


def _lost(job: Job, running: Attempt | None, supervisor: Supervisor, now: datetime) -> Outcome:
    """Return the end of an attempt, with what is known of it from the time it ran."""
    started_at = job.started_at or job.claimed_at or now
    return Outcome(
        ending=Ending.LOST,
        advice=Advice.AT_ONCE,
        started_at=started_at,
        finished_at=now,
        run_seconds=max(0.0, (now - started_at).total_seconds()),
        pid=running.pid if running else None,
        error=f"its supervisor ({supervisor}) died",
        output=_printed(running),
    )


def _printed(running: Attempt | None) -> Output:
    if running is None:
        return Output()
    return Output(
        head=running.output_head,
        tail=running.output_tail,
        dropped_bytes=running.output_dropped_bytes,
        progress=running.progress,
        progress_message=running.progress_message,
    )


def _claim(job: Job, supervisor_id: int, now: datetime) -> Claim:
    return Claim(
        id=job.pk,
        supervisor_id=supervisor_id,
        fence=job.fence,
        attempt=job.attempts,
        kind=job.kind,
        queue=job.queue,
        max_retries=job.max_retries,
        backoff_base=job.backoff_base,
        backoff_max_seconds=job.backoff_max_seconds,
        postponements=job.postponements,
        enqueued_at=job.enqueued_at,
        run_at=job.run_at,
        claimed_at=job.claimed_at or now,
    )


def keys_held(*, supervisor_id: int) -> set[tuple[str, int]]:
    """Return id and fence of each job that a supervisor holds, as the database has it."""
    held = Job.objects.filter(state=State.PROCESSING, supervisor=supervisor_id)
    return set(held.values_list("pk", "fence"))


def claims_held(*, supervisor_id: int, now: datetime) -> list[Claim]:
    """Return the claims that a supervisor holds, as the database has it."""
    held = Job.objects.filter(state=State.PROCESSING, supervisor=supervisor_id)
    return [_claim(job, supervisor_id, now) for job in held]


def _never() -> float:
    return 0.0
