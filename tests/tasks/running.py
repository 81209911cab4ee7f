"""What a supervisor and its worker do with tasks, in this process: claim, run, record."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import transaction

from jobs import clock, queue
from jobs.models import Job
from jobs.outcome import Claim, Outcome
from jobs.runners import Stop, Watch, recording, task
from jobs.states import Kind
from tests.factories import make_claim, make_supervisor

GRACE_SECONDS = 1.0


def claim() -> Claim:
    """Claim the only job that is due, or would be within a year."""
    now = clock.now() + timedelta(days=366)
    with transaction.atomic():
        queue.promote(now=now)
        policies = queue.load_policies(now=now)
        (taken,) = queue.claim(
            supervisor_id=make_supervisor(host="host1").pk, queues=None, limit=10, policies=policies, now=clock.now()
        )
    return taken


def record(taken: Claim, outcome: Outcome | None) -> Job:
    """Store how an attempt ended, and return the job."""
    now = clock.now()
    with transaction.atomic():
        ended = [queue.Ended(claim=taken, outcome=outcome)]
        queue.record(ended, policies=queue.load_policies(now=now), host="host1", now=now, chance=lambda: 0.0)
    return Job.objects.get(pk=taken.id)


def attempt() -> Outcome:
    """Let the only job make its next attempt, and store how it ended."""
    taken = claim()
    outcome = run(taken)
    record(taken, outcome)
    return outcome


def run(taken: Claim, *, stop: Stop | None = None, watch: Watch | None = None) -> Outcome:
    """Run a claim as a worker would that got it through its pipe."""
    received = Claim.from_wire(taken.to_wire())
    outcome = with_stop(
        lambda own: task.run(received, stop=stop or own, watch=watch or _nobody, grace_seconds=GRACE_SECONDS)
    )
    return Outcome.from_wire(outcome.to_wire())


def with_stop(function: Callable[[Stop], Outcome]) -> Outcome:
    stop = Stop()
    try:
        return function(stop)
    finally:
        stop.close()


def _nobody(*_: object) -> None:
    pass


@contextmanager
def recorded() -> Iterator[None]:
    """Watch standard output and the log, as a worker does from its start."""
    stdout, handlers = sys.stdout, list(logging.getLogger().handlers)
    recording.install()
    try:
        yield
    finally:
        sys.stdout = stdout
        for handler in set(logging.getLogger().handlers) - set(handlers):
            logging.getLogger().removeHandler(handler)


def claim_of(name: str, *args: Any, **fields: Any) -> Claim:
    """Return the claim of a task of `samples`, without a database."""
    path = f"tests.tasks.samples.{name}"
    return make_claim(**{"kind": Kind.TASK, "command": None, "task": path, "args": list(args), "kwargs": {}} | fields)
