"""A process that acts as a worker, because a test must not make pytest a subreaper.

Reads one JSON document from stdin, {"jobs": [fields of a claim, …], "grace_seconds": 1.0}, runs each job in a thread of
its own, and prints what happened as one JSON document. SIGUSR1 cancels all of them, SIGUSR2 releases them.
"""

import json
import os
import resource
import signal
import sys
import threading
from typing import Any

from django.conf import settings

from jobs import processes
from jobs.outcome import Output
from jobs.runners import Stop, shell
from jobs.states import Ending
from tests.runners import claims


class Job:
    """One job and its thread."""

    def __init__(self, fields: dict[str, Any], grace_seconds: float) -> None:
        self.claim = claims.signed(**fields)
        self.stop = Stop()
        self.shown: list[tuple[int, str]] = []
        self.grace_seconds = grace_seconds
        self.outcome: list[Any] = []
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        outcome = shell.run(self.claim, stop=self.stop, watch=self.watch, grace_seconds=self.grace_seconds)
        self.outcome = outcome.to_wire()

    def watch(self, pid: int, output: Output) -> None:
        self.shown.append((pid, output.head))


def obey(jobs: list[Job]) -> None:
    def stop(number: int, _frame: object) -> None:
        for job in jobs:
            job.stop.ask(Ending.CANCELLED if number == signal.SIGUSR1 else Ending.RELEASED)

    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, stop)


def main() -> None:
    settings.configure(SECRET_KEY="of this process alone, which signs what it runs")
    processes.become_subreaper()
    order = json.load(sys.stdin)
    resident_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    jobs = [Job(fields, order["grace_seconds"]) for fields in order["jobs"]]
    obey(jobs)
    print("running", flush=True)  # noqa: T201
    for job in jobs:
        while job.thread.is_alive():
            job.thread.join(0.05)  # a signal that comes just before a wait without end would be seen only after it
    report = {
        "outcomes": [job.outcome for job in jobs],
        "shown": [job.shown for job in jobs],
        "has_children": processes.has_children(),
        "open_fds": len(os.listdir("/proc/self/fd")) - 2 * len(jobs),  # noqa: PTH208
        "grown_bytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident_before) * 1024,
    }
    print(json.dumps(report))  # noqa: T201


if __name__ == "__main__":
    main()
