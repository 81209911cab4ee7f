"""Taking back the jobs of a supervisor that died."""

import logging
from datetime import datetime

from django.db import transaction

from jobs.models import Job, Supervisor
from jobs.outcome import Advice, Claim, Outcome
from jobs.queue._config import load_policies
from jobs.queue._turn import Ended, Recorded, log, record
from jobs.states import Ending, Kind, State

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
    with transaction.atomic():
        held = Job.objects.filter(state=State.PROCESSING, supervisor=supervisor).order_by("pk")
        ended = [_lost(job, supervisor, now) for job in held[:RESCUED_PER_TRANSACTION]]
        recorded = record(ended, policies=load_policies(now=now), host=supervisor.host, now=now, chance=_never)
    log(recorded)
    return recorded


def _lost(job: Job, supervisor: Supervisor, now: datetime) -> Ended:
    outcome = Outcome(
        ending=Ending.LOST,
        advice=Advice.AT_ONCE,
        started_at=job.started_at or job.claimed_at or now,
        finished_at=now,
        run_seconds=(now - (job.started_at or job.claimed_at or now)).total_seconds(),
        error=f"its supervisor ({supervisor}) died",
    )
    return Ended(claim=_claim(job, now), outcome=outcome)


def _claim(job: Job, now: datetime) -> Claim:
    return Claim(
        id=job.pk,
        fence=job.fence,
        attempt=job.attempts,
        kind=Kind(job.kind),
        queue=job.queue,
        max_retries=job.max_retries,
        postponements=job.postponements,
        enqueued_at=job.enqueued_at,
        run_at=job.run_at,
        claimed_at=job.claimed_at or now,
    )


def _never() -> float:
    return 0.0
