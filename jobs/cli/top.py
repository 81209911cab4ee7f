"""`queuectl top`: what the admin's dashboard shows, in a terminal, drawn anew every few seconds."""

from argparse import Namespace
from collections.abc import Iterable
from datetime import datetime, timedelta

from jobs import clock, moments, stats
from jobs.cli import arguments, present, queues, screen, status, worker
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.cli.table import Cell, Column
from jobs.models import Job
from jobs.states import State
from jobs.stats import Status, Totals

REFRESH_SECONDS = 2.0
MINUTES = 30
MINUTE = timedelta(minutes=1)
DEAD_SHOWN = 3
BLOCKS = "▁▂▃▄▅▆▇█"
STATES = (State.PENDING, State.PROCESSING, State.SCHEDULED, State.FAILED, State.DEAD)
DEAD_COLUMNS = (Column(title="DEAD"), Column(title="WHEN"), Column(title="ERROR", is_flexible=True))


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "top",
        run,
        summary="watch what runs, what gets done and what fails",
        about=f"Shows the last {MINUTES} minutes until Ctrl-C. Into a pipe, it prints once.",
        examples=("queuectl top", "queuectl top --every 10s"),
    )
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        type=arguments.interval,
        default=REFRESH_SECONDS,
        help=f"draw it anew every so often (default: {REFRESH_SECONDS:g}s)",
    )


def run(options: Namespace, output: Output) -> int:
    if not output.is_terminal:
        _show(output)
        return 0
    try:
        screen.redraw(_show, output, every_seconds=options.every)
    except KeyboardInterrupt:  # the usual end, and so no failure
        pass
    return 0


def _show(output: Output) -> datetime:
    now = clock.now()
    current = stats.status(counts=stats.count_jobs(), now=now)
    status.print_health(current, output)
    output.line()
    output.pieces(list(_counts(current)))
    output.line()
    _print_minutes(now, output)
    if current.queues:
        output.line()
        queues.print_queues(current.queues, output, now)
    if current.live_supervisors:
        output.line()
        worker.print_views(current.live_supervisors, output, now)
    if dead := stats.dead_jobs(limit=DEAD_SHOWN):
        output.line()
        output.table(DEAD_COLUMNS, [_dead(job, now) for job in dead])
    return now


def _counts(current: Status) -> Iterable[Cell]:
    for state in STATES:
        count = current.counts.total(state)
        yield Cell(f"{count} ", present.STATE_STYLES.get(state, "bold") if count else "dim")
        yield Cell(f"{state}   ", None if count else "dim")


def _print_minutes(now: datetime, output: Output) -> None:
    """Show each minute as a block, and the whole as numbers."""
    last = now.replace(second=0, microsecond=0)
    minutes = stats.totals_over_time(since=last - (MINUTES - 1) * MINUTE, now=now, step=MINUTE)
    whole = stats.totals(since=last - (MINUTES - 1) * MINUTE, now=now)
    for name, style in (("completed", "green"), ("failed", "yellow"), ("dead", "red")):
        numbers = [getattr(total, name) for total in minutes.values()]
        label = Cell(f"{name:<11}")
        output.pieces([label, Cell(_blocks(numbers), style), Cell(f"  {getattr(whole, name):,} in {MINUTES} min")])
    output.pieces([Cell(f"{'wait':<11}"), Cell(_percentiles(whole, "wait"))])
    output.pieces([Cell(f"{'run time':<11}"), Cell(_percentiles(whole, "run"))])


def _blocks(numbers: list[int]) -> str:
    """Return a block for each number, as high as its share of the largest; a space for none."""
    most = max(numbers, default=0)
    return "".join(BLOCKS[(number * len(BLOCKS) - 1) // most] if number else " " for number in numbers)


def _percentiles(total: Totals, what: str) -> str:
    seconds = [getattr(total, f"{what}_p{share}_seconds") for share in (50, 95, 99)]
    if None in seconds:
        return "–"
    median, most, nearly_all = map(moments.rough, seconds)
    return f"median {median}, 95 % within {most}, 99 % within {nearly_all}"


def _dead(job: Job, now: datetime) -> list[Cell | str]:
    died = moments.relative(job.finished_at, now=now) if job.finished_at else ""
    return [Cell(job.pk, "bold"), died, Cell(job.error or "", "red")]
