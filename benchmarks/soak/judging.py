"""What counts as flat: by how much a measure rises from the start to the end of a window, as a straight line has it.

The window is the last two thirds of a run: before, caches fill and old jobs are not yet deleted. What falls is flat.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WINDOW_SHARE = 2 / 3
ARENA_MB = 1.05  # in such pieces Python takes memory: one is used up some day, also where next to nothing is kept
SHORTEST_MINUTES = 30  # a shorter run says nothing

Series = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a measure may rise: a share of its mean, and in any case `slack` of its unit. `most` is never passed."""

    what: str
    unit: str
    share: float
    slack: float
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one measure: its mean in the window, its largest value there, and its rise from start to end."""

    limit: Limit
    mean: float
    most: float
    rise: float

    @property
    def is_flat(self) -> bool:
        is_bounded = self.limit.most is None or self.most <= self.limit.most
        return is_bounded and self.rise <= max(self.limit.slack, self.limit.share * self.mean)


def _memory(what: str) -> Limit:
    return Limit(f"memory of {what} (PSS)", "MB", 0.05, 2 * ARENA_MB)


def _files(what: str) -> Limit:
    return Limit(f"open files of {what}", "", 0.0, 0.5)


def _threads(what: str) -> Limit:
    return Limit(f"threads of {what}", "", 0.0, 0.5)


PROCESSES = {
    "main_supervisor": "the supervisor",
    "main_nursery": "its nursery",
    "main_workers": "its two workers",
    "rough_supervisor": "the rough supervisor",
    "rough_nursery": "its nursery, rough",
    "reader": "the reader of the admin",
}
LIMITS: dict[str, Limit] = {
    **{f"{name}_pss": _memory(what) for name, what in PROCESSES.items()},
    **{f"{name}_files": _files(what) for name, what in PROCESSES.items()},
    **{f"{name}_threads": _threads(what) for name, what in PROCESSES.items()},
    "rows": Limit("jobs and attempts in the tables", "", 0.05, 0),
    "database": Limit("size of the database", "MB", 0.05, 1.0),
    "wal": Limit("SQLite's write-ahead log", "MB", float("inf"), 0, most=32.0),
}


def verdicts(series: Series) -> list[Verdict]:
    """Return the verdict on each measure that has a limit and is there."""
    return [_verdict(limit, series["at"], series[name]) for name, limit in LIMITS.items() if name in series]


def _verdict(limit: Limit, at: Sequence[float], values: Sequence[float]) -> Verdict:
    begin = at[-1] * (1 - WINDOW_SHARE)
    seen = [(moment, value) for moment, value in zip(at, values, strict=True) if moment >= begin]
    moments, wanted = zip(*seen, strict=True)
    slope = statistics.linear_regression(moments, wanted).slope if len(seen) > 1 else 0.0
    return Verdict(limit, statistics.fmean(wanted), max(wanted), slope * (moments[-1] - moments[0]))
