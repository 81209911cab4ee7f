"""`queuectl prune`: deleting what is done and old."""

from argparse import Namespace

from jobs import clock, durations, queue
from jobs.cli import arguments, present, report
from jobs.cli.output import Output
from jobs.cli.parser import Verbs


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "prune",
        run,
        summary="delete old completed and cancelled jobs",
        about="Workers do so by themselves. Dead jobs stay: they are for a person (queuectl dlq discard).",
        examples=("queuectl prune", "queuectl prune --older-than 14d"),
    )
    parser.add_argument(
        "--older-than", metavar="DURATION", type=arguments.duration, help="instead of the retention of each queue"
    )


def run(options: Namespace, output: Output) -> int:
    now = clock.now()
    batches = queue.prune(policies=queue.load_policies(now=now), now=now, older_than_seconds=options.older_than)
    count = report.run_through(batches, "deleting old jobs", None, output)
    age = "past their retention" if options.older_than is None else f"older than {durations.text(options.older_than)}"
    output.line(f"{present.plural(count, 'job')} deleted, {age}.")
    return 0
