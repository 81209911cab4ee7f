"""The findings of `doctor`."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `remedy` is what to do, None where nothing is."""

    level: Level
    check: str
    text: str
    remedy: str | None = None


def ok(check: str, text: str) -> Finding:
    return Finding(level=Level.OK, check=check, text=text)


def warning(check: str, text: str, remedy: str) -> Finding:
    return Finding(level=Level.WARNING, check=check, text=text, remedy=remedy)


def error(check: str, text: str, remedy: str | None) -> Finding:
    return Finding(level=Level.ERROR, check=check, text=text, remedy=remedy)
