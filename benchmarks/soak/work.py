"""What the jobs of a long run do. The workers import the tasks from here, the load enqueues them.

Tasks leave a mark each time they run, commands a line.
"""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from benchmarks import mark
from benchmarks.soak.kinds import ROUGH
from jobs.tasks import JobContext, task

CHATTY_BYTES = 1_000
LOUD_BYTES = 200_000  # more than is kept
SLOW_SECONDS = 0.1
LATE_SECONDS = 0.5  # the time limit of those that take longer


@task
def succeed(number: int) -> int:
    mark.mark(number)
    return number


@task
def print_much(number: int) -> None:
    mark.mark(number)
    print("x" * CHATTY_BYTES)


@task(takes_context=True, backoff_base=1)
def fail_once(context: JobContext, number: int) -> None:
    mark.mark(number)
    if context.attempt == 1:
        raise ValueError(f"{number} fails once")


@task(max_retries=1, backoff_base=1)
def fail(number: int) -> None:
    mark.mark(number)
    raise ValueError(f"{number} always fails")


@task
def take_a_while(number: int) -> None:
    mark.mark(number)
    time.sleep(SLOW_SECONDS)


@task(queue_name=ROUGH, max_retries=0)
def kill_worker(number: int) -> None:
    mark.mark(number)
    os._exit(1)


@task(queue_name=ROUGH, max_retries=0, timeout=LATE_SECONDS)
def be_late(number: int) -> None:
    mark.mark(number)
    _rest()


@task(queue_name=ROUGH)
def wait_for_the_end(number: int) -> None:
    mark.mark(number)
    _rest()


def _rest() -> None:
    for _ in range(6_000):
        time.sleep(0.01)


def _command(line: str) -> Callable[[int], Any]:
    """Return what enqueues a command that writes its number to a file, and then does what `line` says."""

    def enqueue(number: int) -> None:
        from jobs import clock, new_job, queue  # noqa: PLC0415 - the workers import this module before there are models

        command = f'echo {number} >> "{os.environ["SOAK_LINES"]}"; {line}'
        queue.enqueue(new_job.from_fields({"command": command}, now=clock.now()), now=clock.now())

    return enqueue


def _later(number: int) -> None:
    succeed.using(run_after=timezone.now() + timedelta(seconds=5 + number % 10)).enqueue(number)


def _cancelled(number: int) -> None:
    from jobs import clock, queue  # noqa: PLC0415 - the workers import this module before there are models

    result = succeed.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(number)
    report = queue.cancel([result.id], now=clock.now())
    if not report.changed:
        raise RuntimeError(f"{result.id} was not cancelled: {report.refused}")


# The actions of the kinds: each enqueues a job of that number.
ENQUEUE: dict[str, Callable[[int], Any]] = {
    "task": succeed.enqueue,
    "chatty_task": print_much.enqueue,
    "later_task": _later,
    "flaky_task": fail_once.enqueue,
    "hopeless_task": fail.enqueue,
    "slow_task": take_a_while.enqueue,
    "command": _command("true"),
    "chatty_command": _command(f"printf %{CHATTY_BYTES}s"),
    "loud_command": _command(f"printf %{LOUD_BYTES}s"),
    "killing_task": kill_worker.enqueue,
    "late_task": be_late.enqueue,
    "endless_task": wait_for_the_end.enqueue,
    "cancelled_task": _cancelled,
}
