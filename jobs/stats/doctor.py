"""What `doctor` looks at: the place, the clock, the workers, the keys. Each finding names its remedy."""

import os
import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.db.migrations.executor import MigrationExecutor

from jobs import clock, moments, schema, signing, sql
from jobs.database import connection
from jobs.errors import DatabaseUnavailable
from jobs.models import Job
from jobs.states import Kind, State
from jobs.stats import _place
from jobs.stats._counts import count_jobs
from jobs.stats._findings import Finding, Level, error, ok, warning
from jobs.stats._status import Status, status
from jobs.stats._supervisors import Liveness

CLOCK_SLACK = timedelta(seconds=5)  # two machines that keep time agree better than that
SIGNATURES_SAMPLED = 100  # the next jobs to run; a changed key breaks all of them


def examine(*, now: datetime | None = None) -> list[Finding]:
    """Return what was found at `now`, sound things included. Raises nothing that a database can cause."""
    try:
        sql.check(connection)
        connection.ensure_connection()
        found = [*_place.examine(), *_migrations()]
        if any(finding.level is Level.ERROR and finding.check == "migrations" for finding in found):
            return found
        return found + _contents(now or clock.now())
    except DatabaseUnavailable as unavailable:
        return [error("database", str(unavailable), None)]
    except Error as problem:
        explained = sql.for_connection(connection).explain(connection, problem)
        return [error("database", str(explained or f"the database refuses: {problem}"), None)]


def _contents(now: datetime) -> list[Finding]:
    current = status(counts=count_jobs(), now=now)
    return [*_user(), *_clock(current), *_workers(current), *_queues(current), *_keys()]


def _migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        names = ", ".join(f"{migration.app_label} {migration.name}" for migration, _ in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield error("migrations", f"{len(missing)} not applied: {names}{more}", "queuectl initdb")
    elif newer := schema.unknown():
        text = f"the database is newer than this code: {', '.join(newer)}"
        yield warning("migrations", text, "deploy the newer code here, too")
    else:
        yield ok("migrations", "all applied")


def _user() -> Iterator[Finding]:
    if os.geteuid() == 0:
        text = "this is root; a worker started like this runs every command as root"
        yield warning("user", text, "run workers as a user of their own (User= in systemd)")
    else:
        yield ok("user", "not root")


def _clock(current: Status) -> Iterator[Finding]:
    """Compare with the server, and with what others wrote: nothing can have happened in the future."""
    apart = abs(clock.skew())
    if apart > CLOCK_SLACK:
        text = f"this machine's clock and the database server's are {moments.rough(apart.total_seconds())} apart"
        yield warning("clock", f"{text}; the queue goes by the server's", "set it (chrony, systemd-timesyncd)")
    moments_seen = [view.heartbeat_at for view in current.supervisors]
    moments_seen += Job.objects.order_by("-enqueued_at", "-pk").values_list("enqueued_at", flat=True)[:1]
    ahead = max(moments_seen, default=current.now) - current.now
    if ahead > CLOCK_SLACK:
        text = f"the database holds a time {moments.rough(ahead.total_seconds())} in the future"
        yield error("clock", text, "set this machine's clock, or the other's (chrony, systemd-timesyncd)")
    else:
        yield ok("clock", f"agrees with the database; it is {moments.absolute(current.now)}")


def _workers(current: Status) -> Iterator[Finding]:
    for view in current.supervisors:
        if view.liveness is Liveness.LATE:
            text = f"{view} (id {view.id}) has not been heard from for {moments.rough(view.silent_seconds)}"
            yield warning("workers", text, "see whether it is frozen or cut off from the database")
        elif view.liveness is Liveness.GONE and view.running_ids:
            text = f"{view} (id {view.id}) died with {_jobs(len(view.running_ids))} in hand"
            yield warning("workers", text, "any running worker takes them back: queuectl worker start")
    alive = [view for view in current.supervisors if view.liveness is Liveness.ALIVE]
    if alive:
        count = sum(view.worker_count for view in alive)
        yield ok("workers", f"{count} running, under {', '.join(str(view) for view in alive)}")
    elif current.health.is_healthy:
        yield warning("workers", "none is running", "queuectl worker start")


def _queues(current: Status) -> Iterator[Finding]:
    for queue in current.queues:
        if queue.pause is not None:
            resume = f"queuectl queue resume {shlex.quote(queue.name)}"
            yield warning("queues", f"{queue.name} is {queue.pause.text}", resume)
    if not current.health.is_healthy:
        yield error("queues", current.health.cause, current.health.remedy)
    else:
        yield ok("queues", current.health.cause)


def _keys() -> Iterator[Finding]:
    try:
        key = str(settings.SECRET_KEY)
    except ImproperlyConfigured as problem:
        yield error("secret key", str(problem), None)
        return
    if key.startswith("django-insecure-"):
        yield warning("secret key", "it is one that Django generated for development", "set SECRET_KEY to a secret one")
    waiting = list(
        Job.objects.filter(state=State.PENDING).order_by("queue", "-priority", "run_at", "pk")[:SIGNATURES_SAMPLED]
    )
    shell = [job for job in waiting if job.kind == Kind.SHELL]
    bad = [job for job in waiting if signing.is_refused(job)]
    if bad:
        of_all = f"{len(bad)} of the next {_jobs(len(waiting))}"
        text = f"{of_all} will not run, for lack of a valid signature: {bad[0]}"
        yield error("signatures", text, "if SECRET_KEY was changed, add the old one to SECRET_KEY_FALLBACKS")
    else:
        text = f"valid on the next {_jobs(len(shell), 'shell job')}" if shell else "no shell job waits"
        yield ok("signatures", text)


def _jobs(count: int, noun: str = "job") -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
