"""How long it took to come back: what a round's evidence says of times."""

import itertools
from collections.abc import Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.nemeses import OF_THE_SITE


def recoveries(found: Evidence) -> list[float]:
    """Return, in seconds, from each kill of a supervisor to the next run of each job that it ran at that moment.

    Other kills and faults go on meanwhile, so one may have met several, and a job may have to wait for its turn.
    """
    return sorted(round(seconds, 2) for seconds in _recoveries(found))


def _recoveries(found: Evidence) -> Iterator[float]:
    kills = {row["marker"]: found.kills_of(row) for row in found.supervisors}
    for runs in found.runs.values():
        for run, following in itertools.pairwise(runs):
            for killed in kills.get(run.supervisor, ()):
                if run.start <= killed < following.start and not run.has_ended:
                    yield following.start - killed


def longest_resumption(found: Evidence) -> float | None:
    """Return the longest time from the end of a fault of the whole site to the next start of any job."""
    starts = sorted(mark.at for mark in found.marks if mark.word == "S")
    mended = [event.until for event in found.events if event.what in OF_THE_SITE and event.until is not None]
    return _longest(next((at for at in starts if at >= moment), moment) - moment for moment in mended)


def _longest(seconds: Iterator[float]) -> float | None:
    longest = max(seconds, default=None)
    return None if longest is None else round(longest, 2)
