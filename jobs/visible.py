"""Text of others, with nothing in it that is obeyed or cannot be seen. The terminal, the admin and the log use it.

What is executed, named or logged keeps each of its characters: what cannot be seen is spelled out, since a command that
is shown shorter than it is would be taken for another one.
"""

import logging
import re

JOINERS = "\u200c\u200d"  # part of words in Persian and of emoji; harmless, though not printable to Python


def line(text: str) -> str:
    """Return `text` with every character that a terminal would obey, or not show, as an escape such as `\\x1b`."""
    return _spelled(text, JOINERS)


def lines(text: str) -> str:
    """Return `text` likewise; line ends and tabs stay."""
    return _spelled(text, f"{JOINERS}\n\t")


def printed(text: str) -> str:
    """Return what a program printed likewise, to which `\\r\\n` is a line end, too."""
    return lines(text.replace("\r\n", "\n"))


class Formatter(logging.Formatter):
    """Formats for a log that terminals show: messages and tracebacks repeat what others raised and named."""

    def format(self, record: logging.LogRecord) -> str:
        return lines(super().format(record))


def _spelled(text: str, kept: str) -> str:
    # Most of a long output is ASCII, over which the search runs faster than a look at each character.
    return re.sub(f"[^ -~{kept}]", _as_seen, text)


def _as_seen(match: re.Match[str]) -> str:
    character = match.group()
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
