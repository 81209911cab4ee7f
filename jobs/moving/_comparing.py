"""The second look: every job of the source and its attempts, read again from both databases."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jobs import queue
from jobs.models import Attempt, Job
from jobs.moving._examining import JOBS_PER_READ, Preview
from jobs.moving._places import Place, Route
from jobs.queue import Standing

ATTEMPTS_PER_READ = 200  # each may carry 128 KiB of output
DIFFERENCES_KEPT = 5

# The supervisors' ids are each database's own. What was handed over says so in the source, in these columns.
COLUMNS = tuple(column.attname for column in Job._meta.concrete_fields if column.attname != "supervisor_id")
MARKED = frozenset({"state", "finished_at", "error"})
ATTEMPT_COLUMNS = tuple(column.attname for column in Attempt._meta.concrete_fields if not column.primary_key)


@dataclass(slots=True)
class Compared:
    """What the second look found, in jobs."""

    same: int = 0
    attempts: int = 0  # of those that are the same
    gone_on: int = 0  # the destination's is newer: workers ran there since an earlier move
    missing: int = 0  # handed over by an earlier move, and since then pruned or deleted in the destination
    left: int = 0  # may still run in the source: enqueued during the last pass
    differing: int = 0  # anything else, which should not be
    examples: tuple[str, ...] = ()  # ids of some that differ

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left in the source, and all is the same in the destination."""
        return not self.left and not self.differing


def compare(route: Route, preview: Preview, *, advance: Callable[[int], object]) -> Compared:
    """Look at every job of the source again, after the move that began with `preview`."""
    found = Compared()
    last = ""
    jobs = Job.objects.using(route.source.alias).order_by("pk")
    while here := {job.pk: job for job in jobs.filter(pk__gt=last)[:JOBS_PER_READ]}:
        _compare_some(route, here, found)
        advance(len(here))
        if len(here) < JOBS_PER_READ:  # as in a pass of the move
            break
        last = next(reversed(here))
    if preview.is_first:  # then the destination cannot have gone on with any
        found.differing += found.gone_on + found.missing
        found.gone_on = found.missing = 0
    return found


def _compare_some(route: Route, here: dict[str, Job], found: Compared) -> None:
    there = Job.objects.using(route.destination.alias).in_bulk(list(here))
    equal = [id_ for id_, job in here.items() if id_ in there and _is_equal(job, there[id_])]
    printed_here, printed_there = (_digests(place, equal) for place in route.places)
    same = {id_ for id_ in equal if printed_here[id_] == printed_there[id_]}
    found.same += len(same)
    found.attempts += sum(len(printed_here[id_]) for id_ in same)
    for id_, job in here.items():
        if id_ not in same:
            _judge(job, there.get(id_), found)


def _is_equal(here: Job, there: Job) -> bool:
    if here.state in queue.HANDED_OVER:
        return False
    apart = MARKED if queue.is_moved(here) else frozenset()
    return all(getattr(here, name) == getattr(there, name) for name in COLUMNS if name not in apart)


def _judge(here: Job, there: Job | None, found: Compared) -> None:
    if here.state in queue.HANDED_OVER:
        found.left += 1
    elif there is None and queue.is_moved(here):
        found.missing += 1
    elif there is not None and _has_gone_on(here, there):
        found.gone_on += 1
    else:
        found.differing += 1
        found.examples = (*found.examples, here.pk)[:DIFFERENCES_KEPT]


def _has_gone_on(here: Job, there: Job) -> bool:
    """Tell whether the destination's is newer. The copy of a moved job may be deleted there, and its id taken again."""
    if queue.is_moved(here):
        return there.fence >= here.fence or there.enqueued_at > here.enqueued_at
    return queue.standing(here, there) is Standing.THERE


def _digests(place: Place, ids: Sequence[str]) -> dict[str, list[bytes]]:
    """Return a digest of each attempt of these jobs, in order."""
    digests: defaultdict[str, list[bytes]] = defaultdict(list)
    attempts = Attempt.objects.using(place.alias)
    keys = list(attempts.filter(job__in=ids).order_by("job", "fence").values_list("pk", flat=True)) if ids else []
    for start in range(0, len(keys), ATTEMPTS_PER_READ):
        some = attempts.filter(pk__in=keys[start : start + ATTEMPTS_PER_READ]).order_by("job", "fence")
        for values in some.values_list(*ATTEMPT_COLUMNS):
            digests[values[0]].append(_digest(values))
    return digests


def _digest(values: Sequence[Any]) -> bytes:
    plain = [value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value for value in values]
    return hashlib.blake2b(repr(plain).encode(), digest_size=16).digest()
