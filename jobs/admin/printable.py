"""Text written by jobs, made fit to be looked at. Django escapes the HTML; this is about what HTML lets through."""

import re

# Colours and cursor movements (CSI), window titles (OSC), and two-character escapes.
_TERMINAL_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")

# Control characters but tab and newline; and the marks that make text read in another order than it is executed
# ("Trojan Source", CVE-2021-42574).
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")


def printable(text: str) -> str:
    """Return `text` without terminal sequences, and with every invisible character spelled out."""
    plain = _TERMINAL_SEQUENCE.sub("", text.replace("\r\n", "\n"))
    return _INVISIBLE.sub(_spelled, plain)


def one_line(text: str, limit: int) -> str:
    """Return the first `limit` characters of `text` in one line."""
    line = " ".join(printable(text[: limit * 4]).split())
    return line if len(line) <= limit else f"{line[:limit]}…"


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
