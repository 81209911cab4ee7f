"""`queuectl config history`: who changed what, and when; pauses, too."""

from argparse import Namespace
from typing import Any

from jobs import clock, moments, stats
from jobs.cli import arguments
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.cli.table import Cell, Column
from jobs.stats import Change

COLUMNS = (
    Column(title="WHEN"),
    Column(title="QUEUE"),
    Column(title="CHANGE", is_flexible=True),
    Column(title="BY"),
)
CHANGE_KEYS = ("at", "queue", "key", "before", "after", "by")


def add(noun: Verbs) -> None:
    history = noun.add(
        "history",
        _history,
        summary="show who changed what, and when; pauses, too",
        about="The newest 1,000 changes of each queue are kept.",
        examples=("queuectl config history", "queuectl config history --queue mail --limit 5"),
    )
    history.add_argument("--queue", metavar="QUEUE", type=arguments.queue, help="of this queue only")
    arguments.add_limit(history)
    arguments.add_json(history)


def _history(options: Namespace, output: Output) -> int:
    changes = stats.config_history(queue=options.queue, limit=options.limit, now=clock.now())
    if options.json:
        output.json([change_json(change) for change in changes])
    elif changes:
        output.table(COLUMNS, [_row(change) for change in changes])
    else:
        output.note("Nothing was changed yet.")
    return 0


def _row(change: Change) -> list[Cell | str]:
    return [
        moments.absolute(change.at),
        Cell(change.queue or "(all)", "bold" if change.queue else "dim"),
        change.text,
        change.by or "",
    ]


def change_json(change: Change) -> dict[str, Any]:
    return {key: getattr(change, key) for key in CHANGE_KEYS}
