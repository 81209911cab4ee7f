"""Running what is due within a test, with the claims and records of a real supervisor, on the test's own connection."""

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import jobs
from jobs import clock, conf, identities, queue, sql
from jobs.database import atomic, connection
from jobs.outcome import Claim, Outcome
from jobs.states import Ending
from jobs.testing import _attempts, _running, _transactions
from jobs.testing._attempts import DrainedAttempt

ATTEMPTS_MAX = 1_000  # a test that runs more has a task that enqueues itself for ever
NOT_AHEAD = timedelta()


class TooManyAttempts(AssertionError):
    """A drain ran as many attempts as it may, and there was more to run."""


def drain(*, queue: str | None = None, ahead: timedelta = NOT_AHEAD, limit: int = ATTEMPTS_MAX) -> list[DrainedAttempt]:
    """Run the jobs that are due, one after another, until there are none; return their attempts.

    What is enqueued meanwhile is run, too. `queue` leaves the jobs of others alone. `ahead` also runs, in order and
    without waiting, the scheduled jobs and retries that are due within that time.

    Raise what a job raised, or JobFailed where there is no exception, when its attempt has been recorded; and
    TooManyAttempts when more than `limit` attempts would be run.
    """
    return _drain(queue, ahead, limit, _attempts.raise_failure)


def drain_past_failures(
    *, queue: str | None = None, ahead: timedelta = NOT_AHEAD, limit: int = ATTEMPTS_MAX
) -> list[DrainedAttempt]:
    """Do what drain() does, and go on when a job fails.

    Raise nonetheless what is not for the task: a KeyboardInterrupt, and what a test runner raises to end the test.
    """
    return _drain(queue, ahead, limit, _raise_foreign)


def _drain(
    queue_name: str | None, ahead: timedelta, limit: int, judge: Callable[[DrainedAttempt], None]
) -> list[DrainedAttempt]:
    attempts: list[DrainedAttempt] = []
    _transactions.run_on_commit()
    with _registered(queue_name) as supervisor_id:
        turn = _Turn(supervisor_id, queue_name, ahead)
        while turn.finds_due():
            if len(attempts) >= limit:
                last = f"; the last was: {attempts[-1]}" if attempts else ""
                raise TooManyAttempts(f"{limit} attempts were run, and there is more{last}")
            claim = turn.claim()
            if claim is None:
                break
            attempts.append(turn.run(claim))
            judge(attempts[-1])
    return attempts


@contextmanager
def _registered(queue_name: str | None) -> Iterator[int]:
    """Be a supervisor for a while: a job that is processing belongs to one."""
    identity = identities.own()
    now = clock.now()
    supervisor = queue.register(
        marker=secrets.token_hex(16),
        host=socket.gethostname(),
        machine=identity.machine,
        pid=identity.pid,
        process_started=identity.started,
        version=jobs.__version__,
        queues=None if queue_name is None else [queue_name],
        worker_count=1,
        thread_count=1,
        lease_seconds=conf.lease_seconds(default=sql.for_connection(connection).LEASE_SECONDS),
        started_at=now,
        heartbeat_at=now,
    )
    try:
        yield supervisor.pk
    finally:
        queue.mark_stopped(supervisor_id=supervisor.pk, now=clock.now())


class _Turn:
    """What a supervisor's store does with each job, step by step."""

    def __init__(self, supervisor_id: int, queue_name: str | None, ahead: timedelta) -> None:
        self._supervisor_id = supervisor_id
        self._queues = None if queue_name is None else [queue_name]
        self._ahead = ahead

    def finds_due(self) -> bool:
        """Promote what is due. If that leaves nothing to run, go on to the next moment that is not too far ahead."""
        _transactions.run_on_commit()
        now = clock.now()
        self._policies = queue.load_policies(now=now)
        with atomic():
            queue.promote(now=now)
            while not queue.open_queues(queues=self._queues, policies=self._policies):
                due_at = queue.next_due_at()
                if due_at is None or due_at - now > self._ahead or not queue.promote(now=due_at):
                    return False
        return True

    def claim(self) -> Claim | None:
        """Return the next job. None: others, such as a worker that runs beside the test, are claiming what there is."""
        with atomic():
            claims = queue.claim(
                supervisor_id=self._supervisor_id,
                queues=self._queues,
                limit=1,
                policies=self._policies,
                now=clock.now(),
            )
        return claims[0] if claims else None

    def run(self, claim: Claim) -> DrainedAttempt:
        with _transactions.kept_usable():
            ran = _running.run(claim)
        recorded = self._record(queue.Ended(claim=claim, outcome=_by_queue_clock(ran.outcome)))
        _transactions.run_on_commit()
        state = recorded[0].state if recorded else None
        return DrainedAttempt.of(claim, ran.outcome, state=state, exception=ran.exception)

    def _record(self, ended: queue.Ended) -> list[queue.Recorded]:
        now = clock.now()
        policies = queue.load_policies(now=now)  # as they are when the attempt ends
        with atomic():
            recorded = queue.record([ended], policies=policies, host=socket.gethostname(), now=now, chance=lambda: 0.0)
        queue.log(recorded)
        return recorded


def _by_queue_clock(outcome: Outcome) -> Outcome:
    return outcome.by_queue_clock(now=clock.estimate(), instant=time.monotonic())


def _raise_foreign(attempt: DrainedAttempt) -> None:
    """Raise what went through a task without being meant for it."""
    exception = attempt.exception
    is_own = isinstance(exception, Exception | SystemExit | GeneratorExit | asyncio.CancelledError)
    if exception is not None and not is_own and attempt.ending is not Ending.TIMED_OUT:
        raise exception
