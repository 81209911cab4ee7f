"""Jobs and attempts, as lists. Columns that can be large and are not shown in a list stay in the database."""

from collections.abc import Collection, Sequence
from itertools import chain

from django.db.models import QuerySet

from jobs import sql
from jobs.database import connection
from jobs.errors import NotFound
from jobs.models import Attempt, Job
from jobs.new_job import shown
from jobs.outcome import AttemptSummary
from jobs.sql import conditions
from jobs.states import DEFERRED, State

IDS_PER_LOOKUP = 500  # well under the 32,766 parameters of SQLite's default build
UNLISTED_COLUMNS = ("args", "cwd", "env", "kwargs", "return_value", "signature")
DONE = frozenset({State.COMPLETED, State.CANCELLED})


def find_job(id_: str) -> Job:
    """Return the job with all its columns. Raise NotFound."""
    job = Job.objects.filter(pk=id_).first()
    if job is None:
        raise NotFound(f"there is no job {shown(id_)}")
    return job


def newest_jobs(
    *, states: Collection[State] = (), queue: str | None = None, kind: str | None = None, limit: int
) -> list[Job]:
    """Return jobs in `states` (none: in any), in the order that tells most about them.

    Mixed states: the last enqueued first. Pending: the next to run first. Scheduled and failed: the next due first.
    Processing: the last claimed first. Final states: the last finished first.
    """
    wanted = frozenset(states)
    if wanted == {State.PENDING}:
        return _pending(queue, kind, limit)
    if wanted == {State.PROCESSING}:
        running = _listed(Job.objects.filter(state=State.PROCESSING).order_by("supervisor_id", "pk"), queue, kind)
        return sorted(running, key=_claimed, reverse=True)[:limit]
    return list(_listed(_ordered(wanted), queue, kind)[:limit])


def dead_jobs(*, queue: str | None = None, limit: int) -> list[Job]:
    """Return the Dead Letter Queue, the last to die first."""
    return newest_jobs(states=(State.DEAD,), queue=queue, limit=limit)


def attempts(job_id: str, *, after_fence: int = 0) -> QuerySet[Attempt]:
    """Return the attempts of a job in order, those of earlier requeues included."""
    return Attempt.objects.filter(job_id=job_id, fence__gt=after_fence).order_by("fence")


def attempt_summaries(job: Job) -> list[AttemptSummary]:
    """Return the attempts of a job as the result of a task tells of them, also one that has just begun."""
    known = list(attempts(job.pk).defer("output_head", "output_tail"))
    told = [attempt.as_summary() for attempt in known]
    if job.supervisor is not None and (not known or known[-1].fence != job.fence):
        told.append(AttemptSummary(worker_id=str(job.supervisor), started_at=job.claimed_at or job.run_at))
    return told


def _ordered(states: frozenset[State]) -> QuerySet[Job]:
    """Return the jobs in `states` in the order of the index that holds just them."""
    if states == {State.DEAD}:
        return Job.objects.filter(state=State.DEAD).order_by("-finished_at", "-pk")
    if states and states <= DEFERRED:
        return Job.objects.filter(conditions.DEFERRED, state__in=sorted(states)).order_by("run_at")
    if states and states <= DONE:
        return Job.objects.filter(conditions.DONE, state__in=sorted(states)).order_by("-finished_at", "-pk")
    newest = Job.objects.order_by("-enqueued_at", "-pk")
    return newest.filter(state__in=sorted(states)) if states else newest


def _pending(queue: str | None, kind: str | None, limit: int) -> list[Job]:
    """Return the next to run. The index is ordered within each queue, so the heads of all queues are merged."""
    queues = sql.for_connection(connection).pending_queues(connection) if queue is None else [queue]
    heads = chain.from_iterable(_pending_of(name, kind, limit) for name in queues)
    return sorted(heads, key=lambda job: (-job.priority, job.run_at, job.pk))[:limit]


def _pending_of(queue: str, kind: str | None, limit: int) -> QuerySet[Job]:
    pending = Job.objects.filter(state=State.PENDING, queue=queue).order_by("-priority", "run_at", "pk")
    return _listed(pending, None, kind)[:limit]


def _listed(jobs: QuerySet[Job], queue: str | None, kind: str | None) -> QuerySet[Job]:
    jobs = jobs.defer(*UNLISTED_COLUMNS)
    if queue is not None:
        jobs = jobs.filter(queue=queue)
    return jobs if kind is None else jobs.filter(kind=kind)


def _claimed(job: Job) -> float:
    return job.claimed_at.timestamp() if job.claimed_at else 0.0


def states_of(ids: Sequence[str]) -> dict[str, State]:
    """Return the states of these jobs; those that do not exist are left out."""
    found: dict[str, State] = {}
    for start in range(0, len(ids), IDS_PER_LOOKUP):
        rows = Job.objects.filter(pk__in=ids[start : start + IDS_PER_LOOKUP]).values_list("pk", "state")
        found.update((id_, State(state)) for id_, state in rows)
    return found
