"""Kinds of arguments that several verbs take. A wrong one is refused in a line that begins with the option's name."""

import argparse
from collections.abc import Callable
from typing import Any

from jobs import conf, durations, new_job
from jobs.cli.parser import Parser
from jobs.errors import InvalidInput
from jobs.states import State

COUNT_MAX_DIGITS = 9
INTERVAL_SECONDS_MIN = 0.1  # some looks take half as long
LIST_LIMIT = 50  # a few screens
LIST_LIMIT_MAX = 1_000_000  # all of it is in memory before the first line is printed


def common() -> Parser:
    """Return the options that Django gives every command, to be taken after the verb as well."""
    parser = Parser(add_help=False, is_interactive=False)
    group = parser.add_argument_group("also")
    group.add_argument("--no-color", action="store_true", default=argparse.SUPPRESS, help="never use colour")
    group.add_argument("--traceback", action="store_true", default=argparse.SUPPRESS, help="show where an error arose")
    parser.add_argument("-v", "--verbosity", type=int, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument("--settings", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument("--pythonpath", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument("--force-color", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs: JSON on stdout, times in UTC")


def add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit",
        metavar="N",
        type=whole(1, LIST_LIMIT_MAX),
        default=LIST_LIMIT,
        help=f"at most this many (default: {LIST_LIMIT})",
    )


def duration(text: str) -> float:
    """Return the seconds of `90s`, `10m`, `1h30m`."""
    try:
        seconds = durations.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a duration such as {durations.EXAMPLES}") from None
    if seconds > 100 * 365 * conf.DAY_SECONDS:
        raise argparse.ArgumentTypeError("must be less than 100 years")
    return seconds


def interval(text: str) -> float:
    """Return the seconds between two looks. None at all would keep the database busy with them."""
    seconds = duration(text)
    if seconds < INTERVAL_SECONDS_MIN:
        raise argparse.ArgumentTypeError(f"must be at least {INTERVAL_SECONDS_MIN:g}s")
    return seconds


def whole(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds."""

    def read(text: str) -> int:
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= COUNT_MAX_DIGITS:
            number = int(text)
            if minimum <= number <= maximum:
                return number
        raise argparse.ArgumentTypeError(f"must be a whole number from {minimum} to {maximum}")

    return read


POSITIVE = whole(1, 999_999_999)


def queue(text: str) -> str:
    try:
        return new_job.queue_name(text)
    except InvalidInput as error:
        raise argparse.ArgumentTypeError(error.problem) from None


def state(text: str) -> State:
    """Return the state; commas, capitals and `running` are what people also type."""
    word = {"running": "processing", "canceled": "cancelled"}.get(text.lower(), text.lower())
    if word not in State.values:
        raise argparse.ArgumentTypeError(
            f"there is no state {new_job.shown(text)!r}; choose from {', '.join(State.values)}"
        )
    return State(word)


def variable(text: str) -> tuple[str, str]:
    """Return name and value of `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError("must be written as NAME=VALUE")
    return name, value


def given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return the options of these names that were given."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}
