"""The command as a process of its own: its streams, its patience with locks, its exit code.

What a user can cause ends in a line on stderr or in silence, never in a traceback.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from django.core.management import CommandError
from django.db import connections

from jobs import cli, conf, sql
from jobs.cli.output import Output, silence_stdout
from jobs.cli.parser import RootParser
from jobs.database import connection
from jobs.sql import lifeline

ANSWER_SECONDS = 15.0  # for one statement; a server that is silent for longer is frozen or cut off
LOCK_WAIT_SECONDS = 10.0  # longer than any transaction of ours, shorter than a person's patience


def prepare_streams() -> None:
    """Let any character be printed: what an encoding lacks, as an escape; what was closed by the caller, to nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - for the rest of the process
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def parse(parser: RootParser, words: Sequence[str]) -> argparse.Namespace:
    """Return the options. Exit after help, the version, or a wrong argument; whoever read it may be gone by then."""
    try:
        return parser.parse_args(words)
    except SystemExit as end:
        raise SystemExit(_flushed(int(end.code or 0))) from None


def limit_patience(options: argparse.Namespace) -> None:
    """Give up on a database lock after a while, except in workers, which outlast it."""
    if not getattr(options, "waits_for_locks", False):
        dialect = sql.for_connection(connection)
        dialect.limit_wait(connection, seconds=LOCK_WAIT_SECONDS)
        if not dialect.IS_LOCAL:
            lifeline.Deadline(seconds=ANSWER_SECONDS).guard(connections[conf.database_alias()])


def run(options: argparse.Namespace) -> int:
    """Run the verb and return its exit code."""
    output = Output(sys.stdout, sys.stderr, color=_color(options))
    try:
        return _flushed(cli.execute(options, output))
    except CommandError as error:
        if options.traceback:
            raise
        output.error(str(error))
        return error.returncode
    except KeyboardInterrupt:
        return cli.EXIT_INTERRUPTED
    except BrokenPipeError:
        silence_stdout()
        return cli.EXIT_BROKEN_PIPE
    except OSError as error:
        if options.traceback:
            raise
        return _failed(error)


def _flushed(code: int) -> int:
    """Return `code`, or another if what was printed cannot be delivered."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
        return cli.EXIT_BROKEN_PIPE
    except OSError as error:
        return _failed(error)
    return code


def _failed(error: OSError) -> int:
    silence_stdout()
    where = f": {error.filename}" if error.filename else ""
    Output(sys.stdout, sys.stderr).error(f"{error.strerror or error}{where}")
    return cli.EXIT_FAILED


def _color(options: argparse.Namespace) -> bool | None:
    if options.no_color:
        return False
    return True if options.force_color else None
