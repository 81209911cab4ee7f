"""The tasks of the campaign's load. They write to the ledger as its shell jobs do."""

import os
import time
from pathlib import Path

from jobs.tasks import task
from tests.chaos import witness


class PlannedFailure(Exception):
    pass


def mark(word: str) -> None:
    """Write a line into the ledger, by one call to the system."""
    claim = witness.current()
    words = (word, claim.id, claim.attempt, claim.fence, os.environ["QUEUECTL_SUPERVISOR"], os.getpid(), _uptime())
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND)
    os.write(ledger, f"{' '.join(map(str, words))}\n".encode())
    os.close(ledger)


def _uptime() -> str:
    return Path("/proc/uptime").read_text(encoding="ascii").split()[0]


@task
def quick() -> None:
    mark("S")
    mark("E")


@task
def slow(looks: int) -> None:
    mark("S")
    for _ in range(looks):
        time.sleep(0.1)
        mark("T")
    mark("E")


@task
def flaky(failures: int) -> None:
    mark("S")
    if witness.current().attempt <= failures:
        mark("F")
        raise PlannedFailure("not yet")
    mark("E")


@task
def fail() -> None:
    mark("S")
    mark("F")
    raise PlannedFailure("never")


@task
def crash() -> None:
    mark("S")
    os._exit(3)
