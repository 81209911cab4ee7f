"""`queuectl status`: how the queue is, once, again and again, or as an exit code."""

import time
from argparse import Namespace
from collections.abc import Callable
from datetime import datetime
from typing import Any

from jobs import clock, moments, stats
from jobs.cli import arguments, present, queues, screen, worker
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.cli.table import Cell
from jobs.states import State
from jobs.stats import Status, Verdict

EXIT_UNHEALTHY = 3  # what `systemctl status` ends with for a unit that does not run
WATCH_SECONDS = 2.0
VERDICT_STYLES = {Verdict.RUNNING: "green", Verdict.IDLE: "green", Verdict.PAUSED: "yellow", Verdict.STALLED: "red"}
ORDER = (  # as a job goes through them
    State.SCHEDULED,
    State.PENDING,
    State.PROCESSING,
    State.FAILED,
    State.DEAD,
    State.COMPLETED,
    State.CANCELLED,
)
COUNT_WIDTH = 9
LABEL_WIDTH = 12


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "status",
        run,
        summary="show how many jobs there are, who works, and whether all is well",
        about=f"Counts stop at {stats.COUNT_MAX:,}+. "
        "The queue is unhealthy when due work waits and no worker serves it,\n"
        "or when a worker died with jobs in hand and none is there to take them back.",
        examples=("queuectl status --watch", "queuectl status --check --max-wait 15m || page-someone"),
    )
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        type=arguments.interval,
        nargs="?",
        const=WATCH_SECONDS,
        help=f"show it again every so often (default: {WATCH_SECONDS:g}s), until Ctrl-C",
    )
    parser.add_argument("--check", action="store_true", help=f"end with {EXIT_UNHEALTHY} if it is unhealthy")
    parser.add_argument(
        "--max-wait", metavar="DURATION", type=arguments.duration, help="unhealthy, too, if a due job waits longer"
    )
    parser.add_argument("--exact", action="store_true", help="count every job; reads the whole table")
    arguments.add_json(parser)


def run(options: Namespace, output: Output) -> int:
    if options.watch is not None:
        return _watch(options, output)
    current = _read(options)
    _print(current, options, output)
    return EXIT_UNHEALTHY if options.check and not current.health.is_healthy else 0


def _read(options: Namespace) -> Status:
    count = stats.count_jobs_exactly if options.exact else stats.count_jobs
    return stats.status(counts=count(), now=clock.now(), max_wait_seconds=options.max_wait)


def _print(current: Status, options: Namespace, output: Output) -> None:
    if options.json:
        output.json(status_json(current))
    else:
        print_status(current, output)


def print_status(current: Status, output: Output) -> None:
    print_health(current, output)
    output.line()
    for state in ORDER:
        _print_count(state, current, output)
    if [queue.name for queue in current.queues] not in ([], ["default"]) or any(q.pause for q in current.queues):
        output.line()
        queues.print_queues(current.queues, output, current.now)
    if current.live_supervisors:
        output.line()
        worker.print_views(current.live_supervisors, output, current.now)


def print_health(current: Status, output: Output) -> None:
    health = current.health
    output.prose(health.cause, label=[Cell(health.verdict, VERDICT_STYLES[health.verdict]), Cell("  ")])
    output.remedy(health.remedy)


def _print_count(state: State, current: Status, output: Output) -> None:
    count = current.counts.total(state)
    style = present.STATE_STYLES.get(state) if count else "dim"
    number = Cell(f"{count!s:>{COUNT_WIDTH}}", None if count else "dim")
    note = _note(state, current) if count else ""
    output.pieces([Cell(f"  {state.value:<{LABEL_WIDTH}}", style), number, Cell(f"  {note}", "dim")])


def _note(state: State, current: Status) -> str:
    if state is State.PENDING and current.oldest_wait_seconds is not None:
        return f"the oldest for {moments.rough(current.oldest_wait_seconds)}"
    return {
        State.SCHEDULED: "for a later time",
        State.FAILED: "to be tried again",
        State.DEAD: "queuectl dlq list",
    }.get(state, "")


def status_json(current: Status) -> dict[str, Any]:
    counts = {state: current.counts.total(state) for state in State}
    return {
        "as_of": current.now,
        "health": {
            "verdict": current.health.verdict,
            "is_healthy": current.health.is_healthy,
            "cause": current.health.cause,
            "remedy": current.health.remedy,
        },
        "jobs": {state.value: count.value for state, count in counts.items()},
        "capped": [state.value for state, count in counts.items() if count.is_capped],
        "oldest_wait_seconds": current.oldest_wait_seconds,
        "queues": [queues.queue_json(queue) for queue in current.queues],
        "workers": [worker.view_json(view) for view in current.live_supervisors],
    }


def _watch(options: Namespace, output: Output) -> int:
    """Show it until Ctrl-C, which is the usual end and so no failure."""
    try:
        if output.is_terminal and not options.json:
            screen.redraw(_shown(options), output, every_seconds=options.watch)
        while True:
            _print(_read(options), options, output)
            if not options.json:
                output.line()
            output.flush()
            time.sleep(options.watch)
    except KeyboardInterrupt:
        return 0


def _shown(options: Namespace) -> Callable[[Output], datetime]:
    def show(output: Output) -> datetime:
        current = _read(options)
        print_status(current, output)
        return current.now

    return show
