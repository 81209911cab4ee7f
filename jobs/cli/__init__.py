"""The command line: one module per noun, each of which parses, calls one function and prints what it returned.

`configure` builds the tree of verbs; `execute` runs the one that was asked for and translates what it may raise, once.
The management command calls them, and `process` where it is a process of its own.
"""

import argparse
import functools
import importlib

from django.core.management import CommandError
from django.db import Error

from jobs import sql
from jobs.cli import arguments, interruption
from jobs.cli.output import Output
from jobs.cli.parser import RootParser, Verbs, listed
from jobs.database import connection
from jobs.errors import QueueError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE

# In the order in which help lists them.
MODULES = {
    "Jobs": ("enqueue", "listing", "show", "logs", "wait", "people"),
    "Dead Letter Queue": ("dlq",),
    "Workers": ("worker", "status", "top", "web"),
    "Settings": ("config", "queues"),
    "Keeping house": ("initdb", "prune", "move", "doctor", "completion"),
}
EXAMPLES = """\
  queuectl enqueue '{"id": "job1", "command": "echo hi"}'
  queuectl worker start --count 2"""


def configure(parser: RootParser) -> None:
    """Add all verbs to `parser`."""
    verbs = Verbs(parser, common=[arguments.common()])
    sections = []
    for title, modules in MODULES.items():
        known = set(verbs.summaries)
        for name in modules:
            importlib.import_module(f"jobs.cli.{name}").configure(verbs)
        sections.append(listed(title, {verb: text for verb, text in verbs.summaries.items() if verb not in known}))
    parser.verbs = tuple(verbs.summaries)
    parser.overview = functools.partial(_overview, parser.prog, sections)
    parser.set_defaults(run=functools.partial(_show_overview, parser), needs_database=False)


def _overview(prog: str, sections: list[str]) -> str:
    usage = f"usage: {prog} VERB …\n\nA job queue in the database this project already has."
    more = f"Each verb has its own help: {prog} VERB --help\n\nexamples:\n{EXAMPLES}\n"
    return "\n\n".join([usage, *sections, more])


def _show_overview(parser: RootParser, _options: argparse.Namespace, output: Output) -> int:
    output.stored(parser.format_help())
    return 0


def execute(options: argparse.Namespace, output: Output) -> int:
    """Run the verb that was asked for and return its exit code. Raise CommandError with a line and an exit code."""
    try:
        if options.needs_database:
            sql.check(connection)
        return int(options.run(options, output))
    except (QueueError, Error) as error:
        if interruption.led_to(error):
            raise KeyboardInterrupt from error
        if isinstance(error, Error):
            raise _database_refusal(error) from error
        raise CommandError(str(error), returncode=error.exit_code) from error


def _database_refusal(error: Error) -> CommandError:
    explained = sql.for_connection(connection).explain(connection, error)
    if explained is not None:
        return CommandError(str(explained), returncode=explained.exit_code)
    message = " ".join(str(error).split())
    return CommandError(f"the database refused: {message}", returncode=EXIT_FAILED)
