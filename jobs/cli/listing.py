"""`queuectl list`: jobs, one a line."""

from argparse import Namespace
from datetime import datetime

from jobs import clock, queue, stats
from jobs.cli import arguments, present
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.cli.table import Cell, Column
from jobs.models import Job
from jobs.states import Kind

COLUMNS = (
    Column(title="ID"),
    Column(title="STATE"),
    Column(title="TRIES", is_right=True, optional_rank=2),
    Column(title="WHEN", optional_rank=3),
    Column(title="QUEUE", optional_rank=1),
    Column(title="COMMAND", is_flexible=True),
)


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "list",
        run,
        summary="list jobs",
        about="The last enqueued first; of one state, the next to run or the last to finish first.",
        examples=("queuectl list --state failed --state dead", "queuectl list --queue mail --limit 200 --json"),
    )
    parser.add_argument(
        "--state",
        metavar="STATE",
        type=arguments.state,
        action="append",
        help="only in this state; may be repeated",
    )
    parser.add_argument("--queue", metavar="QUEUE", type=arguments.queue, help="only jobs of this queue")
    parser.add_argument("--kind", choices=Kind.values, help="only jobs of this kind")
    arguments.add_limit(parser)
    arguments.add_json(parser)


def run(options: Namespace, output: Output) -> int:
    now = clock.now()
    # One more than is shown tells whether there are more.
    found = stats.newest_jobs(
        states=options.state or (), queue=options.queue, kind=options.kind, limit=options.limit + 1
    )
    jobs = found[: options.limit]
    policies = queue.load_policies(now=now)
    if options.json:
        output.json([present.job_json(job, policies) for job in jobs])
        return 0
    if not jobs:
        output.note(_nothing(options))
        return 0
    output.table(COLUMNS, [_row(job, policies, now) for job in jobs])
    if len(found) > len(jobs):
        output.note(f"There are more; see them with --limit {options.limit * 10}.", style="dim")
    return 0


def _row(job: Job, policies: queue.Policies, now: datetime) -> list[Cell | str]:
    return [
        Cell(job.pk, "bold"),
        present.state_cell(job),
        present.tries(job, policies),
        present.when(job, now),
        job.queue,
        job.what,
    ]


def _nothing(options: Namespace) -> str:
    if options.state or options.queue or options.kind:
        return "No job matches."
    return 'No jobs yet. Add one: queuectl enqueue "echo hi"'
