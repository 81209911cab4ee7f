"""What a verb did to several jobs, in a line each and an exit code. Used by the verbs that take ids."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator

from jobs.cli.output import Output
from jobs.errors import InvalidInput
from jobs.queue import Report

EXIT_PARTLY = 6


def print_report(report: Report, output: Output, sentence: Callable[[str], str]) -> int:
    """Print `sentence(id)` for each changed job and the reason for each other; return the exit code."""
    for id_ in report.changed:
        output.line(sentence(id_))
    for refusal in report.refused.values():
        output.error(str(refusal))
    if not report.refused:
        return 0
    return EXIT_PARTLY if report.changed else next(iter(report.refused.values())).exit_code


def add_ids(parser: ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="+", metavar="JOB", help="ids")


def add_ids_or_all(parser: ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="ids")
    parser.add_argument("--all", action="store_true", help="all dead jobs")
    parser.add_argument("--queue", metavar="QUEUE", help="with --all: only those of this queue")


def refuse_unclear_choice(options: Namespace) -> None:
    """Refuse neither ids nor --all, and both."""
    if options.all and options.jobs:
        raise InvalidInput("--all", "does not go with ids")
    if not options.all and not options.jobs:
        raise InvalidInput("JOB", "is missing; name jobs, or use --all")
    if options.queue is not None and not options.all:
        raise InvalidInput("--queue", "goes with --all")


def run_through(batches: Iterator[int], what: str, total: int | None, output: Output) -> int:
    """Exhaust a generator of counts with a progress bar; return the sum."""
    done = 0
    with output.progress(what, total=total) as progress:
        for count in batches:
            done += count
            progress.advance(count)
    return done
