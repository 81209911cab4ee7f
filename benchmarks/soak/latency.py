"""What the marks of a long run tell: how long jobs waited, and whether each ran as often as it must."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import marks
from benchmarks.mark import RECORD
from benchmarks.marks import Inexact, Mark
from benchmarks.soak import kinds

WINDOW_SECONDS = 30  # 400 tasks, enough for a p99


def acknowledged(path: Path) -> list[Mark]:
    """Return the jobs whose `enqueue` returned, in order."""
    return [(number, at) for number, at in RECORD.iter_unpack(path.read_bytes())]


def runs(directory: Path, lines: Path) -> list[Mark]:
    """Return the runs of tasks in order, then those of commands, whose moments are not known."""
    return [*marks.read(directory), *((int(line), 0) for line in lines.read_text().split())]


def refuse_inexact(found: Iterable[Mark], enqueued: Iterable[Mark]) -> None:
    """Raise Inexact unless each job ran as often as its kind must, and no other did."""
    counts = Counter(number for number, _ in found)
    wrong: defaultdict[str, list[int]] = defaultdict(list)
    for number, _ in enqueued:
        kind = kinds.kind_of(number)
        if (times := counts.pop(number, 0)) != kind.runs:
            wrong[f"{kind.what}: {times} runs instead of {kind.runs}"].append(number)
    if counts:
        wrong["unknown jobs"] = list(counts)
    if wrong:
        raise Inexact("; ".join(f"{what} × {len(numbers)}, such as {numbers[0]}" for what, numbers in wrong.items()))


def completing(enqueued: Iterable[Mark]) -> int:
    """Return how many of the jobs must have completed."""
    return sum(kinds.kind_of(number).completes for number, _ in enqueued)


def pickups(found: Iterable[Mark], enqueued: Iterable[Mark], *, started_ns: int) -> list[dict[str, float]]:
    """Return milliseconds from `enqueue` to the start of tasks that were due at once, for each window of time."""
    first_run: dict[int, int] = {}
    for number, at in found:
        first_run.setdefault(number, at)
    windows: defaultdict[int, list[float]] = defaultdict(list)
    for number, at in enqueued:
        if kinds.kind_of(number) is kinds.TASK and number in first_run:
            window = int((at - started_ns) / 1e9 // WINDOW_SECONDS)
            windows[window].append(max(0.0, (first_run[number] - at) / 1e6))
    return [
        {"at": window * WINDOW_SECONDS, "p50": _share(values, 50), "p99": _share(values, 99)}
        for window, values in sorted(windows.items())
    ]


def _share(values: Sequence[float], percent: int) -> float:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]
