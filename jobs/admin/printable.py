"""Text written by jobs, made fit to be looked at. Django escapes the HTML; this is about what HTML lets through."""

import re

from jobs import visible

# Colours and cursor movements (CSI), titles and links (OSC), and two-character escapes. What has no end, or is longer
# than programs make them, is none: it would hide what was printed after it.
_TERMINAL_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,4}[@-~]|\][^\x00-\x1f\x7f-\x9f]{0,512}(?:\x07|\x1b\\)|[@-Z\\^_])"
)


def printable(text: str) -> str:
    """Return what is executed, named or logged: all of `text`, with every invisible character spelled out."""
    return visible.lines(text)


def printed(text: str) -> str:
    """Return what a job printed likewise, but without terminal sequences."""
    return visible.printed(_TERMINAL_SEQUENCE.sub("", text))


def one_line(text: str, limit: int) -> str:
    """Return the first `limit` characters of `text` in one line, with a mark if there are more, be they all spaces."""
    start = text[: limit * 4]
    line = " ".join(printable(start).split())
    return line if len(line) <= limit and start == text else f"{line[:limit]}…"
