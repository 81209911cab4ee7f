"""The move itself: settings, then jobs in the order of their ids, then counters."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from jobs import queue
from jobs.errors import InvalidInput
from jobs.models import Job
from jobs.moving._examining import bury_dead, is_unsigned, refuse_live, refuse_new
from jobs.moving._places import OPTION, Route
from jobs.states import State

JOBS_PER_BATCH = 500  # past this the time per row no longer falls; a tenth of a second in which the source is locked
COUNTERS_PER_BATCH = 1_000
BATCHES_BETWEEN_RESTS = 20
PASSES_MAX = 10  # who enqueues faster than that into the old database must be stopped first

Advance = Callable[[int], object]


@dataclass(slots=True, kw_only=True)
class Moved:
    """What a move did. `copied` and `there` count the jobs of each state that it stored, or found in the destination.

    `unsigned` are those among them that may yet run, but were not signed with this SECRET_KEY.
    """

    copied: Counter[State] = field(default_factory=Counter)
    there: Counter[State] = field(default_factory=Counter)
    attempts: int = 0
    unsigned: int = 0
    settings_copied: list[str] = field(default_factory=list)
    settings_kept: list[str] = field(default_factory=list)
    counters: int = 0


def move(route: Route, *, advance: Advance) -> Moved:
    """Bring all of the source into the destination. Raise QueueError if that becomes impossible; repeating it helps.

    `advance` is told how many jobs each transaction saw to.
    """
    _prepare(route)
    now = route.source.now()
    moved = Moved()
    with route.destination.transaction():
        aliases = {"source": route.source.alias, "destination": route.destination.alias}
        moved.settings_copied, moved.settings_kept = queue.copy_settings(**aliases)
    jobs = Job.objects.using(route.source.alias)
    _pass(route, jobs, moved, now=now, advance=advance)
    late = jobs.filter(state__in=sorted(queue.HANDED_OVER))
    for _ in range(PASSES_MAX):
        if not _pass(route, late, moved, now=now, advance=advance):
            break
    moved.counters = _copy_counters(route)
    return moved


def _prepare(route: Route) -> None:
    """Make sure of what the first look could only guess, and that nobody comes back from the dead."""
    if queue.is_same_database(source=route.source.alias, destination=route.destination.alias):
        raise InvalidInput(OPTION, f"{route.source} is the configured database under another name; nothing was changed")
    for place in route.places:
        bury_dead(place)
        refuse_live(place)


def _pass(route: Route, jobs: QuerySet[Job], moved: Moved, *, now: datetime, advance: Advance) -> int:
    """See to all of `jobs` once; return how many there were."""
    seen, last, batches = 0, "", 0
    while True:
        batch = _batch(route, jobs, moved, after=last, now=now)
        seen, batches = seen + len(batch), batches + 1
        advance(len(batch))
        if len(batch) < JOBS_PER_BATCH:  # the end; ids grow, so who enqueues all the time would give this no end
            return seen
        last = batch[-1].pk
        if batches % BATCHES_BETWEEN_RESTS == 0:
            for place in route.places:
                place.rest()


def _batch(route: Route, jobs: QuerySet[Job], moved: Moved, *, after: str, now: datetime) -> list[Job]:
    """See to the next jobs in one transaction on each side, the destination's inside the source's."""
    source, destination = route.source.alias, route.destination.alias
    with route.source.transaction():
        batch = queue.lock_next(jobs, after=after, limit=JOBS_PER_BATCH)
        to_move = [job for job in batch if not queue.is_moved(job)]
        refuse_new(route.source)
        with route.destination.transaction():
            refuse_new(route.destination)
            stored = queue.store(to_move, source=source, destination=destination, now=now)
        queue.leave_behind(to_move, source=source, place=str(route.destination), now=now)
    _count(to_move, stored, moved)
    return batch


def _count(jobs: list[Job], stored: queue.Stored, moved: Moved) -> None:
    for job in jobs:
        (moved.copied if job.pk in stored.ids else moved.there)[State(job.state)] += 1
    moved.attempts += stored.attempts
    moved.unsigned += sum(job.state in queue.HANDED_OVER and is_unsigned(job) for job in jobs)


def _copy_counters(route: Route) -> int:
    copied = 0
    last: int | None = 0
    while last is not None:
        with route.destination.transaction():
            count, last = queue.copy_counters(
                source=route.source.alias, destination=route.destination.alias, after=last, limit=COUNTERS_PER_BATCH
            )
        copied += count
    return copied
