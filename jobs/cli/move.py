"""`queuectl move`: bringing the queue of another database into the configured one."""

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobs.cli import arguments, interruption, present, report
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.cli.table import Cell, Column
from jobs.states import State

if TYPE_CHECKING:
    from jobs.moving import Compared, Moved, Preview, Route

STATE = Column(title="STATE")
PREVIEW_COLUMNS = (STATE, Column(title="JOBS", is_right=True))
COLUMNS = (STATE, Column(title="COPIED", is_right=True), Column(title="THERE ALREADY", is_right=True))


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "move",
        run,
        summary="bring the queue of another database into this one",
        about="All workers must be stopped. A job that may yet run is cancelled in the old database\n"
        "once it is safe in this one. Interrupt and repeat it as you like: no job is lost or doubled.",
        examples=(
            "queuectl move --from sqlite:////srv/queue.sqlite3 --dry-run",
            "queuectl move --from postgres://queue@old.example.com/queue",
        ),
    )
    parser.add_argument(
        "--from", metavar="URL", required=True, dest="source", help="the old database, or its alias in DATABASES"
    )
    parser.add_argument("--dry-run", action="store_true", help="look at both, and say what would be moved")
    arguments.add_json(parser)


def run(options: Namespace, output: Output) -> int:
    # Imported here: no other verb needs URLs and migrations.
    from jobs import moving

    with moving.route(options.source) as route:
        preview = moving.examine(route)
        if options.dry_run:
            return _report_preview(route, preview, options, output)
        output.note(f"Moving the queue from {route.source} to {route.destination}.")
        try:
            moved, compared = _move(route, preview, output)
        except BaseException as error:
            if interruption.led_to(error):
                output.note("Interrupted. No job is lost; repeat the command to finish.")
            raise
        if options.json:
            output.json(_places(route) | {"dry_run": False} | _json(moved, compared))
        else:
            _print(moved, compared, output)
        return _judge(moved, compared, output)


def _move(route: "Route", preview: "Preview", output: Output) -> tuple["Moved", "Compared"]:
    from jobs import moving

    with output.progress("moving", total=preview.total) as progress:
        moved = moving.move(route, advance=progress.advance)
    with output.progress("comparing", total=preview.total) as progress:
        return moved, moving.compare(route, preview, advance=progress.advance)


def _report_preview(route: "Route", preview: "Preview", options: Namespace, output: Output) -> int:
    from jobs import moving

    unsigned = moving.count_unsigned(route)
    if options.json:
        output.json(_places(route) | {"dry_run": True, "jobs": preview.jobs, "unsigned": unsigned})
        return 0
    rows: list[list[Cell | str]] = [[_state(state), f"{count:,}"] for state, count in _sorted(preview.jobs)]
    output.table(PREVIEW_COLUMNS, rows)
    if preview.moved_earlier:
        output.line(f"{present.plural(preview.moved_earlier, 'job')} of an earlier move would be left out.")
    output.line(f"Nothing stands in the way of moving them from {route.source} to {route.destination}.")
    _warn_of_unsigned(unsigned, output)
    return 0


def _print(moved: "Moved", compared: "Compared", output: Output) -> None:
    rows: list[list[Cell | str]] = [
        [_state(state), f"{moved.copied[state]:,}", f"{moved.there[state]:,}"]
        for state, _ in _sorted(moved.copied | moved.there)
    ]
    output.table(COLUMNS, rows)
    settings = present.plural(len(moved.settings_copied), "queue")
    attempts, counters = present.plural(moved.attempts, "attempt"), present.plural(moved.counters, "counter")
    output.line(f"Also copied: {attempts}, the settings of {settings}, {counters}.")
    if moved.settings_kept:
        output.line(f"Kept, though other than in the old database: the settings of {', '.join(moved.settings_kept)}.")
    if compared.gone_on:
        output.line(f"Gone on here since an earlier move: {present.plural(compared.gone_on, 'job')}.")
    if compared.missing:
        missing = present.plural(compared.missing, "job")
        output.line(f"Pruned or deleted here since an earlier move, or moved elsewhere by it: {missing}.")
    same = f"{present.plural(compared.same, 'job')}, {present.plural(compared.attempts, 'attempt')}"
    output.line(f"Read again from both databases and found the same: {same}.")


def _judge(moved: "Moved", compared: "Compared", output: Output) -> int:
    """Say what is to be done, and return the exit code."""
    _warn_of_unsigned(moved.unsigned, output)
    if compared.is_whole:
        output.note("Now let everything use the new database, then start workers: queuectl worker start")
        return 0
    if compared.left:
        left = present.plural(compared.left, "job")
        output.error(
            f"enqueued in the old database meanwhile: {left}; let nobody enqueue there, then repeat the command"
        )
    if compared.differing:
        differing = present.plural(compared.differing, "job")
        output.error(f"not the same in both databases: {differing}, such as {', '.join(compared.examples)}")
    return report.EXIT_PARTLY


def _warn_of_unsigned(count: int, output: Output) -> None:
    if count:
        text = "before a worker starts, give it the SECRET_KEY of the old site, or these jobs fail for good"
        output.note(f"Not signed with this SECRET_KEY: {present.plural(count, 'job')}; {text}.", style="yellow")


def _sorted(counts: Mapping[State, int]) -> list[tuple[State, int]]:
    return [(state, counts[state]) for state in State if counts.get(state)]


def _state(state: State) -> Cell:
    return Cell(str(state), present.STATE_STYLES.get(state))


def _places(route: "Route") -> dict[str, Any]:
    return {"source": str(route.source), "destination": str(route.destination)}


def _json(moved: "Moved", compared: "Compared") -> dict[str, Any]:
    return {
        "copied": moved.copied,
        "there_already": moved.there,
        "attempts_copied": moved.attempts,
        "settings_copied": moved.settings_copied,
        "settings_kept": moved.settings_kept,
        "counters_copied": moved.counters,
        "unsigned": moved.unsigned,
        "same": compared.same,
        "gone_on": compared.gone_on,
        "missing": compared.missing,
        "left": compared.left,
        "differing": compared.differing,
    }
