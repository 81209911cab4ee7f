"""Running `queuectl` in this process, as a process of its own would: arguments in, exit code and both streams out."""

import contextlib
import functools
import io
import json
import sys
from dataclasses import dataclass
from typing import Any
from unittest import mock

from jobs.cli import process
from jobs.cli.parser import RootParser
from jobs.management.commands.queuectl import Command


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Keyboard(io.TextIOWrapper):
    """A standard input that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def queuectl(*words: str, stdin: str = "", answer: str | None = None, stdout: io.StringIO | None = None) -> Done:
    """Run the command to its end. With `answer`, a person at a terminal types it."""
    out, err = stdout or io.StringIO(), io.StringIO()
    source = io.TextIOWrapper(io.BytesIO(stdin.encode())) if answer is None else Keyboard(io.BytesIO(answer.encode()))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch.object(sys, "stdin", source):
        try:
            code = process.run(process.parse(parser(), words))
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


@functools.cache
def parser() -> RootParser:
    """Return the parser, which keeps nothing of what it parsed."""
    command = Command()
    command._called_from_command_line = True
    return command.create_parser("queuectl", "queuectl")


def ok(*words: str, stdin: str = "") -> str:
    """Run the command, expect success, and return what it printed."""
    done = queuectl(*words, stdin=stdin)
    assert done.code == 0, done.err
    return done.out


def refused(*words: str, code: int = 2, stdin: str = "") -> str:
    """Run the command, expect that it refuses in one line, and return the line."""
    done = queuectl(*words, stdin=stdin)
    assert (done.code, done.out) == (code, ""), done
    assert done.err.count("\n") == 1, done.err
    assert len(done.err) < 1_000
    return done.err.rstrip("\n")
