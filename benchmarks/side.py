"""The system's side, in an environment of its own: `python -m benchmarks.side MODULE`. The harness talks to it in JSON.

One request a line on standard input, one reply a line on standard output: `{"do": "enqueue", "first": 0, "count": 9}`
and `{"value": …}` or `{"error": "…"}`. Times of events are nanoseconds since 1970, durations are in seconds.
"""

import importlib
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import marks

PER_CALL = 1_000  # jobs that one bulk call enqueues
SAMPLE_DEADLINE_SECONDS = 30

system: ModuleType
Sent = list[tuple[int, int]]  # the number of each job; when the call that enqueued it had returned


def prepare() -> None:
    system.prepare()


def workers() -> list[list[str]]:
    commands: list[list[str]] = system.workers()
    return commands


def has_bulk() -> bool:
    return hasattr(system, "enqueue_many")


def completed() -> int | None:
    return system.completed() if hasattr(system, "completed") else None


def enqueue(first: int, count: int) -> float:
    """Enqueue jobs one by one; return how long it took."""
    started = time.perf_counter()
    for number in range(first, first + count):
        system.enqueue(number)
    return time.perf_counter() - started


def enqueue_many(first: int, count: int) -> float:
    """Enqueue jobs a thousand at a time; return how long it took."""
    started = time.perf_counter()
    for start in range(first, first + count, PER_CALL):
        system.enqueue_many(range(start, min(start + PER_CALL, first + count)))
    return time.perf_counter() - started


def call(module: str, function: str, **arguments: Any) -> Any:
    """Call what only one system is asked for."""
    return getattr(importlib.import_module(module), function)(**arguments)


def one_at_a_time(first: int, count: int, least: float, most: float) -> Sent:
    """Enqueue a job, wait until it has run and then for a random time, so that no rhythm of a poller is met."""
    sent: Sent = []
    for number in range(first, first + count):
        time.sleep(random.uniform(least, most))
        sent.append(_enqueue(number))
        _wait_for(number + 1)
    return sent


def steadily(first: int, count: int, per_second: float) -> Sent:
    """Enqueue jobs by the clock, whether or not those before have run."""
    sent: Sent = []
    started = time.perf_counter()
    for place in range(count):
        if (ahead := started + place / per_second - time.perf_counter()) > 0:
            time.sleep(ahead)
        sent.append(_enqueue(first + place))
    return sent


def _enqueue(number: int) -> tuple[int, int]:
    system.enqueue(number)
    return number, time.time_ns()


def _wait_for(count: int) -> None:
    directory = Path(os.environ["BENCH_MARKS"])
    deadline = time.monotonic() + SAMPLE_DEADLINE_SECONDS
    while marks.count(directory) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"job {count - 1} had not run after {SAMPLE_DEADLINE_SECONDS} s")
        time.sleep(0.005)


ACTIONS: tuple[Callable[..., Any], ...] = (
    prepare,
    workers,
    has_bulk,
    completed,
    enqueue,
    enqueue_many,
    one_at_a_time,
    steadily,
    call,
)


def main() -> None:
    global system
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the system's own code prints is no reply
    actions = {action.__name__: action for action in ACTIONS}
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        importlib.import_module("django").setup()
    system = importlib.import_module(f"benchmarks.systems.{sys.argv[1]}")
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"value": actions[request.pop("do")](**request)}
        except Exception as error:  # noqa: BLE001 - whatever a system raises is its answer
            reply = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
