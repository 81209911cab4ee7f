"""What a supervisor's store does, a line each: a transaction that claims, one that records, one that rescues."""

from collections.abc import Sequence

from django.db import transaction

from jobs import queue
from jobs.models import Supervisor
from jobs.outcome import Claim, Outcome
from tests.clock import NOW


def claim(supervisor: Supervisor, *, limit: int = 1_000, queues: Sequence[str] | None = None, now=NOW) -> list[Claim]:
    """Claim for `supervisor` with the settings of this moment."""
    with transaction.atomic():
        policies = queue.load_policies(now=now)
        return queue.claim(supervisor_id=supervisor.pk, queues=queues, limit=limit, policies=policies, now=now)


def claim_one(supervisor: Supervisor, *, now=NOW) -> Claim:
    """Claim the only pending job."""
    (taken,) = claim(supervisor, now=now)
    return taken


def record(*claims: Claim, outcome: Outcome | None, host: str = "host1", now=NOW) -> list[queue.Recorded]:
    """Record the same end of each claim; None gives them back."""
    with transaction.atomic():
        ended = [queue.Ended(claim=taken, outcome=outcome) for taken in claims]
        return queue.record(ended, policies=queue.load_policies(now=now), host=host, now=now, chance=lambda: 0.0)
