"""What is looked at before a move: that both databases are whole and at rest, and that the jobs fit together."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from jobs import identities, processes, queue, schema, signing, stats
from jobs.errors import DatabaseUnavailable, WrongState
from jobs.models import Attempt, Config, Counter, Job, Supervisor
from jobs.moving._places import Place, Route
from jobs.states import Kind, State
from jobs.stats import Liveness

TABLES = {model._meta.db_table for model in (Attempt, Config, Counter, Job, Supervisor)}
COMPARED = ("id", *queue.IDENTITY, "state", "fence", "run_at", "error")  # what `queue.standing` needs
SIGNED = ("kind", "command", "uses_shell", "cwd", "env", "signature", "task", "args", "kwargs")
JOBS_PER_READ = 1_000
SUPERVISORS_SHOWN = 3
KILL_SECONDS = 2.0  # for what the workers of a dead supervisor left on this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a move would find: the jobs of each state in the source, without those that were moved earlier."""

    jobs: dict[State, int]
    moved_earlier: int
    is_first: bool  # the destination has none of these jobs yet

    @property
    def total(self) -> int:
        return sum(self.jobs.values()) + self.moved_earlier


def examine(route: Route) -> Preview:
    """Look at both databases and change nothing. Raise QueueError for what stands in the way of a move."""
    for place in route.places:
        _refuse_other_tables(place)
        refuse_live(place)
    jobs = Job.objects.using(route.source.alias)
    states = {State(state): count for state, count in jobs.values_list("state").annotate(Count("pk")).order_by()}
    moved = jobs.filter(state=State.CANCELLED, error__startswith=queue.MOVED_PREFIX).count()
    if moved:
        states[State.CANCELLED] -= moved
    is_first = not _count_there(route) and not moved
    return Preview(jobs=states, moved_earlier=moved, is_first=is_first)


def _refuse_other_tables(place: Place) -> None:
    """Raise DatabaseUnavailable unless the tables are exactly those of this version."""
    here = place.role == "destination"
    if not set(place.connection.introspection.table_names()) >= TABLES:
        remedy = "make them with: queuectl initdb" if here else "is it the right one?"
        raise DatabaseUnavailable(f"the {place.role} ({place}) has no tables of the queue; {remedy}")
    if unknown := schema.unknown(place.connection):
        remedy = f"its migration {unknown[0]} is unknown here; move with that version"
        raise DatabaseUnavailable(f"the {place.role} ({place}) belongs to a newer version of queuectl: {remedy}")
    if schema.missing(place.connection):
        remedy = "queuectl initdb" if here else "queuectl initdb, with DATABASE_URL as it is there"
        raise DatabaseUnavailable(
            f"the {place.role} ({place}) is older than this version; bring it up to date: {remedy}"
        )


def refuse_live(place: Place) -> None:
    """Raise WrongState if workers run there."""
    now = place.now()
    live = [row for row in unended(place) if not is_dead(row, place=place, now=now)]
    if not live:
        return
    listed = ", ".join(f"{row} (id {row.pk})" for row in live[:SUPERVISORS_SHOWN])
    more = f" and {len(live) - SUPERVISORS_SHOWN} more" if len(live) > SUPERVISORS_SHOWN else ""
    where = "" if place.role == "destination" else ", with DATABASE_URL as it is there"
    raise WrongState(
        f"workers run on the {place.role} ({place}): {listed}{more}; stop them: queuectl worker stop{where}"
    )


def refuse_new(place: Place) -> None:
    """Raise WrongState if a worker was started since all were looked at. One small query."""
    if unended(place).exists():
        raise WrongState(f"a worker was started on the {place.role} meanwhile; stop it, then repeat the command")


def bury_dead(place: Place) -> None:
    """Take for dead who is, as a supervisor would: what is left of it on this machine is killed before."""
    now = place.now()
    for row in unended(place):
        identity = identities.Identity(machine=row.machine, pid=row.pid, started=row.process_started)
        if identities.is_alive(identity) is False:
            processes.kill_marked(row.marker, timeout_seconds=KILL_SECONDS)
        if is_dead(row, place=place, now=now):
            queue.mark_dead(row, using=place.alias, now=now)


def unended(place: Place) -> QuerySet[Supervisor]:
    """Return the supervisors that have neither stopped nor been taken for dead."""
    rows = Supervisor.objects.using(place.alias)
    return rows.filter(stopped_at__isnull=True, lost_at__isnull=True).order_by("pk")


def is_dead(row: Supervisor, *, place: Place, now: datetime) -> bool:
    """Tell whether the process of a supervisor is gone, or was silent past its lease."""
    if stats.liveness(row, now=now) is Liveness.GONE:
        return True
    return place.dialect.IS_LOCAL and identities.is_from_before_this_boot(row.machine)


def _count_there(route: Route) -> int:
    """Return how many jobs of the source the destination has. Raise JobExists if some are other jobs."""
    count = 0
    for ids in _ids_of_smaller(route):
        here = Job.objects.using(route.source.alias).only(*COMPARED).in_bulk(ids)
        there = Job.objects.using(route.destination.alias).only(*COMPARED).in_bulk(ids)
        both = {id_: job for id_, job in here.items() if id_ in there and not queue.is_moved(job)}
        queue.refuse_conflicts({id_: queue.standing(job, there[id_]) for id_, job in both.items()})
        count += len(both)
    return count


def _ids_of_smaller(route: Route) -> Iterator[list[str]]:
    """Yield the ids of the database that has fewer jobs, some at a time: an empty one costs nothing to compare."""
    smaller = min((Job.objects.using(place.alias) for place in route.places), key=QuerySet.count)
    last = ""
    while ids := list(smaller.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:JOBS_PER_READ]):
        yield ids
        last = ids[-1]


def count_unsigned(route: Route) -> int:
    """Return how many jobs of the source may yet run, but were not signed with this SECRET_KEY."""
    jobs = Job.objects.using(route.source.alias).filter(state__in=sorted(queue.HANDED_OVER))
    jobs = jobs.filter(Q(kind=Kind.SHELL) | Q(task__in=signing.SIGNED_TASKS))
    count, last = 0, ""
    while some := list(jobs.filter(pk__gt=last).order_by("pk").only(*SIGNED)[:JOBS_PER_READ]):
        count += sum(map(is_unsigned, some))
        last = some[-1].pk
    return count


def is_unsigned(job: Job) -> bool:
    """Tell whether every worker with this SECRET_KEY refuses to run this job."""
    return signing.is_refused(job)
