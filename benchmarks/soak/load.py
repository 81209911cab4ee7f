"""The load of a long run: a process that enqueues at a steady rate, and does what people do meanwhile.

TERM ends the enqueueing. Then it waits until nothing is left to do, dead jobs included, and ends with 0. What was
acknowledged is appended to a file, as marks are: the job's number, and when `enqueue` returned.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import django

django.setup()

from benchmarks.mark import RECORD  # noqa: E402 - Django must be set up
from benchmarks.soak import kinds, work  # noqa: E402
from jobs import clock, queue, stats  # noqa: E402
from jobs.cli import tree  # noqa: E402, F401 - what a command line loads, so that it is not loaded during the run
from jobs.models import Job  # noqa: E402
from jobs.states import FINAL, State  # noqa: E402

PERSON_SECONDS = 5.0  # between two looks of the person
DEAD_AT_ONCE = 200

is_over = threading.Event()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: is_over.set())
    per_second = float(os.environ["SOAK_PER_SECOND"])
    person = Person()
    number, next_look = 0, 0.0
    started = time.monotonic()
    with Path(os.environ["SOAK_ACKNOWLEDGED"]).open("ab", buffering=0) as acknowledged:
        while not is_over.is_set():
            if time.monotonic() >= next_look:
                person.look()
                next_look = time.monotonic() + PERSON_SECONDS
            work.ENQUEUE[kinds.kind_of(number).action](number)
            acknowledged.write(RECORD.pack(number, time.time_ns()))
            number += 1
            is_over.wait(max(0.0, started + number / per_second - time.monotonic()))
    while Job.objects.exclude(state__in=FINAL - {State.DEAD}).exists():
        person.look()
        time.sleep(1)
    return 0


class Person:
    """Retries what died for the first time, discards what died again, cancels what waits to be cancelled."""

    def __init__(self) -> None:
        self._retried: set[str] = set()

    def look(self) -> None:
        dead = [job.pk for job in stats.dead_jobs(limit=DEAD_AT_ONCE)]
        again = self._retried.intersection(dead)
        first = [id_ for id_ in dead if id_ not in again]
        self._retried |= set(queue.retry_dead(first, now=clock.now()).changed)
        self._retried -= set(queue.discard(sorted(again), now=clock.now()).changed)
        running = stats.newest_jobs(states={State.PROCESSING}, queue=kinds.ROUGH, limit=10)
        queue.cancel([job.pk for job in running if job.task == work.wait_for_the_end.module_path], now=clock.now())
        stats.status(counts=stats.count_jobs(), now=clock.now())


if __name__ == "__main__":
    sys.exit(main())
