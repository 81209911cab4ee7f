"""What it is like to wait for jobs: how soon an idle worker starts one, how soon under a steady load, what it costs.

The time of a pickup is from the return of the call that enqueued the job, when it is as safe as the system makes it,
to the job's mark; where the job ran before the call returned it is 0. Idle time is the processor time of the workers
and their parents, not that of the database. Memory is the proportional set size (PSS) of the same processes.
"""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import marks
from benchmarks.session import Session

WARM_UP_JOBS = 20
PAUSE_SECONDS = (0.02, 0.12)  # between one job and the next, at random
STEADY_PER_SECOND = 300
START_SECONDS = 30
Figures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How long to look. Who polls does so less often after a while: `rest_seconds` is that while."""

    samples: int = 100
    steady_seconds: float = 4
    rest_seconds: float = 4
    idle_seconds: float = 12


QUICK = Size(samples=20, steady_seconds=2, rest_seconds=1, idle_seconds=5)


def measure(session: Session, size: Size) -> Figures:
    """Return milliseconds of pickup, percent of a core when idle, megabytes."""
    session.start_workers()
    session.ask("enqueue", first=0, count=WARM_UP_JOBS)
    session.wait_for_marks(WARM_UP_JOBS, seconds=START_SECONDS)
    time.sleep(1)
    least, most = PAUSE_SECONDS
    first = WARM_UP_JOBS
    alone = session.ask("one_at_a_time", first=first, count=size.samples, least=least, most=most)
    first += size.samples
    count = round(STEADY_PER_SECOND * size.steady_seconds)
    steady = session.ask("steadily", first=first, count=count, per_second=STEADY_PER_SECOND)
    first += count
    session.wait_for_marks(first, seconds=START_SECONDS)
    time.sleep(size.rest_seconds)
    pids = [worker.pid for worker in session.workers]
    idle = _idle_percent(pids, size.idle_seconds)
    memory = sum(pss_bytes(pid) for pid in family(pids)) / 1e6
    session.stop_workers()
    found = marks.read(session.marks)
    marks.refuse_inexact(found, range(first))
    ran_at = dict(found)
    return {
        **_percentiles("pickup", _milliseconds(alone, ran_at)),
        **_percentiles("steady", _milliseconds(steady, ran_at)),
        "idle_cpu": idle,
        "memory": memory,
    }


def family(pids: Iterable[int]) -> Iterator[int]:
    """Yield the processes and all their descendants."""
    for pid in pids:
        yield pid
        yield from family(children(pid))


def children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, path.read_text().split())
    return found


def _idle_percent(pids: Sequence[int], seconds: float) -> float:
    before, started = sum(map(_cpu_seconds, family(pids))), time.monotonic()
    time.sleep(seconds)
    used = sum(map(_cpu_seconds, family(pids))) - before
    return used / (time.monotonic() - started) * 100


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads, to the nanosecond: the clock ticks of `stat` are too coarse."""
    paths = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in paths) / 1e9


def pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _milliseconds(sent: Iterable[tuple[int, int]], ran_at: dict[int, int]) -> list[float]:
    return sorted(max(0.0, (ran_at[number] - enqueued_at) / 1e6) for number, enqueued_at in sent)


def _percentiles(name: str, ordered: Sequence[float]) -> Figures:
    """Return the smallest sample that is no less than so many percent of all (nearest rank)."""
    return {f"{name}_p{share}": ordered[math.ceil(len(ordered) * share / 100) - 1] for share in (50, 95, 99)}
