"""`queuectl worker`: starting workers here, stopping and listing them anywhere."""

import functools
import logging
import time
from argparse import BooleanOptionalAction, Namespace
from datetime import datetime

from django.conf import settings

from jobs import clock, conf, moments, queue, stats
from jobs.cli import arguments
from jobs.cli.output import Output, silence_stdout
from jobs.cli.parser import Parser, Verbs
from jobs.cli.table import Cell, Column
from jobs.errors import NotFound
from jobs.stats import Liveness, SupervisorView

logger = logging.getLogger(__name__)

WORKERS_MAX = 1_000
THREADS_MAX = 100
POLL_SECONDS = 0.2
COLUMNS = (
    Column(title="ID", is_right=True),
    Column(title="SUPERVISOR"),
    Column(title="STATE"),
    Column(title="WORKERS", is_right=True),
    Column(title="QUEUES", is_flexible=True),
    Column(title="DONE", is_right=True, optional_rank=2),
    Column(title="STARTED", optional_rank=1),
    Column(title="HEARD"),
    Column(title="RUNNING", is_flexible=True),
)
LIVENESS_STYLES = {Liveness.ALIVE: "green", Liveness.LATE: "yellow", Liveness.GONE: "red", Liveness.STOPPED: "dim"}


def configure(verbs: Verbs) -> None:
    worker = verbs.add_noun(
        "worker",
        summary="start, stop and list workers",
        examples=("queuectl worker start --count 2", "queuectl worker list"),
    )
    _configure_start(worker)
    stop = worker.add(
        "stop",
        _stop,
        summary="ask workers on any machine to stop, and wait until they have",
        about="They finish what they run within their grace time; what they cannot finish goes back into the queue.",
        examples=("queuectl worker stop", "queuectl worker stop 3 --now"),
    )
    stop.add_argument("ids", nargs="*", metavar="ID", type=arguments.POSITIVE, help="see worker list; none: all")
    stop.add_argument("--now", action="store_true", help="end running jobs at once; they run again later")
    stop.add_argument("--no-wait", action="store_true", help="only ask")
    listing = worker.add(
        "list",
        _list,
        summary="list supervisors and what their workers run",
        examples=("queuectl worker list", "queuectl worker list --all --json"),
    )
    listing.add_argument("--all", action="store_true", help="those that ended within the last day, too")
    arguments.add_json(listing)


def _configure_start(worker: Verbs) -> None:
    start = worker.add(
        "start",
        _start,
        summary="start workers, and watch for jobs until stopped",
        about="Stays in the foreground. Ctrl-C or TERM lets running jobs finish; a second one cuts that short.",
        examples=("queuectl worker start --count 2", "queuectl worker start --queue mail --queue default --drain"),
    )
    start.set_defaults(waits_for_locks=True, needs_database=False)  # the supervisor looks for itself, and patiently
    count, threads = arguments.whole(1, WORKERS_MAX), arguments.whole(1, THREADS_MAX)
    start.add_argument("--count", metavar="N", type=count, default=1, help="worker processes (default: 1)")
    start.add_argument(
        "--queue", metavar="QUEUE", type=arguments.queue, action="append", help="only this queue; may be repeated"
    )
    start.add_argument("--threads", metavar="N", type=threads, default=1, help="jobs per worker at a time")
    start.add_argument("--drain", action="store_true", help="stop when nothing is due")
    start.add_argument("--max-jobs", metavar="N", type=arguments.POSITIVE, help="stop after this many jobs")
    start.add_argument(
        "--reload",
        action=BooleanOptionalAction,
        help="start over when the project's code changes (default: on with DEBUG)",
    )
    _configure_limits(start)


def _configure_limits(start: Parser) -> None:
    start.add_argument(
        "--grace", metavar="DURATION", type=arguments.duration, help="how long running jobs may finish (default: 30s)"
    )
    start.add_argument(
        "--recycle-jobs",
        metavar="N",
        type=arguments.POSITIVE,
        help="replace a worker after this many jobs",
    )
    start.add_argument(
        "--recycle-mb",
        metavar="N",
        type=arguments.POSITIVE,
        help="replace a worker above this memory, in MB",
    )


def _start(options: Namespace, output: Output) -> int:
    # Imported here: the other verbs need none of what starts processes.
    from jobs import supervisor

    grace_seconds = conf.seconds("GRACE_SECONDS") if options.grace is None else options.grace
    return supervisor.run(
        supervisor.Options(
            worker_count=options.count,
            thread_count=options.threads,
            queues=tuple(dict.fromkeys(options.queue)) if options.queue else None,
            drain=options.drain,
            max_jobs=options.max_jobs,
            grace_seconds=grace_seconds,
            recycle_jobs=options.recycle_jobs,
            recycle_mb=options.recycle_mb,
            reload=settings.DEBUG if options.reload is None else options.reload,
        ),
        announce=functools.partial(_announce, output),
    )


def _announce(output: Output, line: str) -> None:
    """Print a status line. Once that fails, work on in silence: a reader that left, or a full disk, must end no job."""
    try:
        output.line(line)
        output.flush()
    except OSError as error:
        silence_stdout()
        logger.warning("status lines cannot be printed any more: %s", error)


def _list(options: Namespace, output: Output) -> int:
    now = clock.now()
    views = stats.supervisors(now=now)
    if not options.all:
        views = [view for view in views if view.is_living]
    if options.json:
        output.json([view_json(view) for view in views])
        return 0
    if not views:
        output.note("No worker is running. Start one: queuectl worker start")
        return 0
    print_views(views, output, now)
    return 0


def print_views(views: list[SupervisorView], output: Output, now: datetime) -> None:
    output.table(COLUMNS, [_row(view, now) for view in views])


def _row(view: SupervisorView, now: datetime) -> list[Cell | str]:
    liveness = "stopping" if view.is_stopping and view.liveness is Liveness.ALIVE else str(view.liveness)
    threads = f"×{view.thread_count}" if view.thread_count > 1 else ""
    return [
        str(view.id),
        Cell(str(view), "bold"),
        Cell(liveness, LIVENESS_STYLES[view.liveness]),
        f"{view.worker_count}{threads}",
        "all" if view.queues is None else ", ".join(view.queues),
        f"{view.completed_count:,}",
        moments.relative(view.started_at, now=now),
        moments.relative(view.heartbeat_at, now=now),
        ", ".join(view.running_ids),
    ]


def view_json(view: SupervisorView) -> dict[str, object]:
    return {
        "id": view.id,
        "host": view.host,
        "pid": view.pid,
        "version": view.version,
        "state": view.liveness,
        "is_stopping": view.is_stopping,
        "queues": view.queues,
        "worker_count": view.worker_count,
        "thread_count": view.thread_count,
        "workers": view.workers,
        "completed_count": view.completed_count,
        "started_at": view.started_at,
        "heartbeat_at": view.heartbeat_at,
        "stopped_at": view.stopped_at,
    }


def _stop(options: Namespace, output: Output) -> int:
    now = clock.now()
    unended = {
        view.id: view for view in stats.supervisors(now=now) if view.liveness not in (Liveness.STOPPED, Liveness.GONE)
    }
    _tell_of_dead(options.ids, output, now)
    ids = [id_ for id_ in options.ids if id_ in unended] if options.ids else sorted(unended)
    if not ids:
        output.note("No worker is running.") if not options.ids else None
        return 0
    asked = queue.request_stop(ids=ids, grace_seconds=0.0 if options.now else None, now=now)
    for id_ in ids:
        output.line(f"{unended[id_]} (id {id_}) {'was asked to stop' if id_ in asked else 'has just ended'}.")
    return 0 if options.no_wait else _wait_until_stopped(asked, output)


def _tell_of_dead(ids: list[int], output: Output, now: datetime) -> None:
    """Say which of the named supervisors need not be asked. Raise NotFound for one that nobody remembers."""
    known = {view.id: view for view in stats.supervisors(now=now)}
    for id_ in ids:
        if id_ not in known:
            raise NotFound(f"there is no supervisor {id_}; see queuectl worker list --all")
        if known[id_].liveness in (Liveness.STOPPED, Liveness.GONE):
            output.line(f"{known[id_]} (id {id_}) {_ended(known[id_])}")


def _ended(view: SupervisorView) -> str:
    if view.liveness is Liveness.STOPPED:
        return "has stopped."
    return "is dead already; any running worker takes its jobs back."


def _wait_until_stopped(ids: list[int], output: Output) -> int:
    output.flush()
    waiting = set(ids)
    while waiting:
        views = {view.id: view for view in stats.supervisors(now=clock.now())}
        for id_ in sorted(waiting):
            if id_ not in views or views[id_].liveness in (Liveness.STOPPED, Liveness.GONE):
                output.line(
                    f"{views[id_]} (id {id_}) {_ended(views[id_])}" if id_ in views else f"Supervisor {id_} is gone."
                )
                output.flush()
                waiting.remove(id_)
        if waiting:
            time.sleep(POLL_SECONDS)
    return 0
