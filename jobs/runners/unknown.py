"""The runner of what this code does not know: newer code, running beside it, has enqueued it."""

import os

import jobs
from jobs.outcome import Claim, Outcome
from jobs.runners import Stop, Watch
from jobs.runners.timing import Clock
from jobs.states import Ending


def run(claim: Claim, *, stop: Stop, watch: Watch, grace_seconds: float) -> Outcome:  # noqa: ARG001
    """Fail the attempt with a reason that says so. Its retries give the deployment its time."""
    return Clock().outcome(
        ending=Ending.FAILED,
        pid=os.getpid(),
        error=f"this worker runs queuectl {jobs.__version__}, which does not know jobs of the kind {claim.kind!r}",
    )
