"""A program that enqueues within a transaction of its own, which it commits or takes back. Started by the launcher."""

from typing import Any

from django.db import Error, transaction

from jobs import clock, new_job, queue
from jobs.new_job import NewJob
from jobs.tasks import requests

EXIT_UNAVAILABLE = 75


class _ChangedItsMind(Exception):
    pass


def run(jobs: list[dict[str, Any]], *, commits: bool) -> int:
    """Enqueue all jobs, and print their ids once they are safe."""
    try:
        with transaction.atomic():
            for fields in jobs:
                now = clock.now()
                queue.enqueue(_new(fields), now=now)
            if not commits:
                raise _ChangedItsMind
    except _ChangedItsMind:
        return 0
    except Error:
        return EXIT_UNAVAILABLE
    print("".join(f"{fields['id']}\n" for fields in jobs), end="")  # noqa: T201
    return 0


def _new(fields: dict[str, Any]) -> NewJob:
    now = clock.now()
    return requests.new_job_of(fields, now=now) if "task" in fields else new_job.from_fields(fields, now=now)
