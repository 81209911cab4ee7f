"""Who changed the settings of one queue, as its page tells it."""

import shlex
from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from jobs import stats
from jobs.admin import cells
from jobs.admin.printable import one_line
from jobs.models import ALL_QUEUES

CHANGES_SHOWN = 25
CHANGE_CHARACTERS_MAX = 300
AUTHOR_CHARACTERS_MAX = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    when: SafeString
    text: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The newest changes; `command` tells the older ones, where there are any."""

    lines: list[Line]
    command: str | None


def build(name: str, *, now: datetime) -> Panel:
    found = stats.config_history(queue=name, limit=CHANGES_SHOWN + 1, now=now)
    of_queue = "" if name == ALL_QUEUES else f" --queue {shlex.quote(name)}"
    return Panel(
        lines=[_line(change, now) for change in found[:CHANGES_SHOWN]],
        command=f"queuectl config history{of_queue} --limit 1000" if len(found) > CHANGES_SHOWN else None,
    )


def _line(change: stats.Change, now: datetime) -> Line:
    return Line(
        when=cells.exact(change.at, now=now),
        text=one_line(change.text, CHANGE_CHARACTERS_MAX),
        by=one_line(change.by, AUTHOR_CHARACTERS_MAX) if change.by else _("nobody"),
    )
