"""Reading the marks that jobs left, and the proof that each job ran once. Without it there is no figure."""

import os
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from benchmarks.mark import RECORD

Mark = tuple[int, int]  # the job's number; nanoseconds since 1970


class Inexact(Exception):
    """Some jobs ran not once."""


def count(directory: Path) -> int:
    """Return how many marks there are, by the sizes of the files."""
    with os.scandir(directory) as entries:
        return sum(entry.stat().st_size for entry in entries) // RECORD.size


def read(directory: Path) -> list[Mark]:
    """Return the marks in the order in which they were made."""
    found = [mark for path in directory.iterdir() for mark in RECORD.iter_unpack(path.read_bytes())]
    return sorted(((number, at) for number, at in found), key=lambda mark: mark[1])


def refuse_inexact(marks: Iterable[Mark], expected: Collection[int]) -> None:
    """Raise Inexact unless each of the expected jobs left exactly one mark, and no other did."""
    counts = Counter(number for number, _ in marks)
    wanted = set(expected)
    missing = len(wanted - counts.keys())
    doubled = sum(number in wanted and times > 1 for number, times in counts.items())
    unknown = len(counts.keys() - wanted)
    if missing or doubled or unknown:
        raise Inexact(
            f"of {len(wanted):,} jobs {missing:,} did not run, {doubled:,} ran twice, {unknown:,} are unknown"
        )
