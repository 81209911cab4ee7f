"""One word on how the queue is, why, and what helps. Pure: made from numbers that were read before."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jobs import moments
from jobs.states import State
from jobs.stats._counts import CappedCount, Counts
from jobs.stats._queues import Pause
from jobs.stats._supervisors import SupervisorView, serving
from jobs.stats._waits import Wait


class Verdict(StrEnum):
    """The health banner."""

    RUNNING = "running"  # there is work, and it is being done
    IDLE = "idle"  # there is nothing to do now
    PAUSED = "paused"  # all due work waits in paused queues, as someone wished
    STALLED = "stalled"  # work waits for a worker that does not come: due jobs, or those of a worker that died


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A verdict with its cause in a sentence, and the command that helps where there is one."""

    verdict: Verdict
    cause: str
    remedy: str | None = None

    @property
    def is_healthy(self) -> bool:
        return self.verdict is not Verdict.STALLED


def judge(
    *,
    counts: Counts,
    waits: Mapping[str, Wait],
    paused: Mapping[str, Pause],
    supervisors: Sequence[SupervisorView],
    max_wait_seconds: float | None = None,
) -> Health:
    """Return how the queue is. With `max_wait_seconds`, a due job that waits longer also counts as stalled."""
    open_waits = {queue: wait for queue, wait in waits.items() if queue not in paused}
    unserved = sorted(queue for queue in open_waits if not serving(supervisors, queue))
    if unserved:
        return _unserved(unserved, counts, waits, supervisors)
    if max_wait_seconds is not None and open_waits:
        queue, wait = max(open_waits.items(), key=lambda item: item[1].seconds)
        if wait.seconds > max_wait_seconds:
            return _too_slow(queue, wait, max_wait_seconds)
    processing = counts.total(State.PROCESSING)
    if processing and not any(view.is_living for view in supervisors):
        return _orphaned(processing)
    if waits and not open_waits and not processing:
        return _paused(sorted(waits), paused)
    if open_waits or processing:
        return _running(counts)
    return _idle(counts, supervisors)


def _unserved(
    queues: Sequence[str], counts: Counts, waits: Mapping[str, Wait], supervisors: Sequence[SupervisorView]
) -> Health:
    oldest = moments.rough(max(waits[queue].seconds for queue in queues))
    if not _is_any_serving(supervisors):
        cause = f"{_due(counts, queues)}, the oldest for {oldest}, and no worker is running"
        return Health(verdict=Verdict.STALLED, cause=cause, remedy="queuectl worker start")
    served = "it" if len(queues) == 1 else "them"
    cause = f"{_due(counts, queues)} in {', '.join(queues)}, the oldest for {oldest}, and no worker serves {served}"
    remedy = " ".join(["queuectl worker start", *(f"--queue {shlex.quote(queue)}" for queue in queues)])
    return Health(verdict=Verdict.STALLED, cause=cause, remedy=remedy)


def _too_slow(queue: str, wait: Wait, max_wait_seconds: float) -> Health:
    limit = moments.rough(max_wait_seconds)
    cause = f"the oldest due job in {queue} has waited {moments.rough(wait.seconds)}, more than {limit}"
    return Health(verdict=Verdict.STALLED, cause=cause, remedy=f"queuectl worker start --queue {shlex.quote(queue)}")


def _orphaned(processing: CappedCount) -> Health:
    """Any living supervisor would take these jobs back within seconds, whichever queues it serves."""
    jobs = "job was" if processing == CappedCount(1) else "jobs were"
    cause = f"{processing} {jobs} in the hands of a worker that died, and no worker is running"
    return Health(verdict=Verdict.STALLED, cause=cause, remedy="queuectl worker start")


def _paused(queues: Sequence[str], paused: Mapping[str, Pause]) -> Health:
    first = paused[queues[0]]
    how = f"is {first.text}" if len(queues) == 1 else "are paused"
    cause = f"all due jobs wait in {', '.join(queues)}, which {how}"
    return Health(verdict=Verdict.PAUSED, cause=cause, remedy=f"queuectl queue resume {shlex.quote(queues[0])}")


def _running(counts: Counts) -> Health:
    processing, pending = counts.total(State.PROCESSING), counts.total(State.PENDING)
    return Health(verdict=Verdict.RUNNING, cause=f"{processing} running, {pending} waiting")


def _idle(counts: Counts, supervisors: Sequence[SupervisorView]) -> Health:
    later = counts.total(State.SCHEDULED) + counts.total(State.FAILED)
    cause = f"nothing is due now, {later} later" if later else "nothing to do"
    if _is_any_serving(supervisors):
        return Health(verdict=Verdict.IDLE, cause=cause)
    return Health(verdict=Verdict.IDLE, cause=f"{cause}, and no worker is running", remedy="queuectl worker start")


def _is_any_serving(supervisors: Sequence[SupervisorView]) -> bool:
    return any(view.is_serving for view in supervisors)


def _due(counts: Counts, queues: Sequence[str]) -> str:
    pending = [counts.in_queue(queue, State.PENDING) for queue in queues]
    number, is_capped = sum(count.value for count in pending), any(count.is_capped for count in pending)
    if not number:  # due by the clock, but with no supervisor there is nobody who promotes them
        return "due jobs wait"
    return f"{number:,}{'+' if is_capped else ''} {'job waits' if number == 1 else 'jobs wait'}"
