"""JobsBackend as the suites of the packages need it: they assert on a task as soon as it is enqueued.

The job is stored, claimed, run and recorded by the code that does so in a worker; only the processes are left out.
"""

# ruff: noqa: PLC0415 - settings name this module, before models can be imported

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.backend import JobsBackend


class AtOnce(JobsBackend):
    """Runs what is due before `enqueue` returns, as Django's ImmediateBackend does."""

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        result = super().enqueue(task, args, kwargs)
        work()
        return self.get_result(result.id)


class Kept(JobsBackend):
    """Keeps what was enqueued, and lists it, as Django's DummyBackend does."""

    @property
    def results(self) -> list[Any]:
        from jobs.models import Job

        return [self.get_result(id_) for id_ in Job.objects.order_by("enqueued_at").values_list("id", flat=True)]

    def clear(self) -> None:
        from jobs.models import Job

        Job.objects.all().delete()


def work() -> None:
    """Run what is due in this process."""
    from jobs import clock, queue

    now = clock.now()
    policies = queue.load_policies(now=now)
    supervisor = queue.register(
        marker="suite", host="here", machine="here", pid=1, process_started="0", version="0", worker_count=1,
        thread_count=1, lease_seconds=60, started_at=now, heartbeat_at=now,
    )  # fmt: skip
    while claims := queue.claim(supervisor_id=supervisor.pk, queues=None, limit=1, policies=policies, now=clock.now()):
        ended = [queue.Ended(claim=claim, outcome=_run(claim)) for claim in claims]
        queue.record(ended, policies=policies, host="here", now=clock.now(), chance=lambda: 0.0)


def _run(claim: Any) -> Any:
    from jobs.runners import Stop
    from jobs.runners.registry import RUNNERS

    stop = Stop()
    try:
        return RUNNERS[claim.kind](claim, stop=stop, watch=lambda *_: None, grace_seconds=0)
    finally:
        stop.close()
