"""What is known of a round when it is over: the plan, the ledger, the database, and what was done and left behind."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from tests.chaos.arena import Event
from tests.chaos.load import Job
from tests.e2e.databases import Row

THERE = "there"  # the host name of the other machine, and its launcher's


class Mark(NamedTuple):
    """One line of the ledger: S start, T still running, F about to fail, E done. `at` is in seconds since the boot."""

    word: str
    job: str
    attempt: int
    fence: int
    supervisor: str
    pid: int
    at: float


class Run(NamedTuple):
    """One run of one job, by the marks that it left, in order."""

    job: str
    fence: int
    marks: tuple[Mark, ...]

    @property
    def start(self) -> float:
        return self.marks[0].at

    @property
    def last(self) -> float:
        return self.marks[-1].at

    @property
    def supervisor(self) -> str:
        return self.marks[0].supervisor

    @property
    def has_ended(self) -> bool:
        return self.marks[-1].word in "EF"


@dataclass(kw_only=True)
class Evidence:
    jobs: Mapping[str, Job]  # as planned, by id
    acknowledged: frozenset[str]
    marks: Sequence[Mark]
    rows: Mapping[str, Row]  # as stored, by id
    attempts: Sequence[Row]
    steps: Sequence[Row]
    supervisors: Sequence[Row]
    events: Sequence[Event]
    is_clock_wrong: bool = False  # the clock that rules what is due has jumped
    backoff_tolerance: float = 0.02
    left_processes: Sequence[str] = ()
    damage: Sequence[str] = ()
    surprises: Sequence[str] = ()

    @cached_property
    def known_rows(self) -> dict[str, Row]:
        return {id_: row for id_, row in self.rows.items() if id_ in self.jobs}

    @cached_property
    def runs(self) -> dict[str, list[Run]]:
        """The runs of each job, by their fence."""
        marks: dict[tuple[str, int], list[Mark]] = defaultdict(list)
        for mark in self.marks:
            marks[mark.job, mark.fence].append(mark)
        runs: dict[str, list[Run]] = defaultdict(list)
        for (job, fence), group in sorted(marks.items()):
            runs[job].append(Run(job, fence, tuple(sorted(group, key=lambda mark: mark.at))))
        return runs

    @cached_property
    def attempts_of(self) -> dict[str, list[Row]]:
        return _grouped(self.attempts, "fence")

    @cached_property
    def steps_of(self) -> dict[str, list[Row]]:
        return _grouped(self.steps, "seq")

    @cached_property
    def ends(self) -> set[tuple[str, int, int]]:
        return {(mark.job, mark.attempt, mark.fence) for mark in self.marks if mark.word == "E"}

    def was_frozen(self, supervisor: str, since: float, until: float) -> bool:
        """Return whether that supervisor stood still, by our doing, at some moment of that time."""
        rows = [row for row in self.supervisors if row["marker"] == supervisor]
        return any(
            event.at <= until and event.until is not None and event.until >= since
            for event in self.events
            if event.what == "frozen" and any(_is_of(event, row) for row in rows)
        )

    def kills_of(self, supervisor: Row) -> list[float]:
        return [event.at for event in self.events if event.what == "supervisor" and _is_of(event, supervisor)]


def _is_of(event: Event, supervisor: Row) -> bool:
    is_there = bool(supervisor["host"] == THERE)
    return bool(event.pid == supervisor["pid"]) and (event.launcher == THERE) == is_there


def _grouped(rows: Iterable[Row], order: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row[order])):
        groups[row["job_id"]].append(row)
    return groups


def read_ledger(path: Path) -> list[Mark]:
    """Return the marks in the order in which they were written."""
    return [_mark(line.split()) for line in path.read_text(encoding="utf-8").splitlines()]


def _mark(words: list[str]) -> Mark:
    word, job, attempt, fence, supervisor, pid, at = words
    return Mark(word, job, int(attempt), int(fence), supervisor, int(pid), float(at))
