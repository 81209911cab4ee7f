"""One value as HTML: a state, a moment, a duration, a piece of text. Used by the lists and the pages."""

from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from jobs import moments
from jobs.admin.printable import one_line, printable
from jobs.states import Ending, Kind, State
from jobs.stats import Liveness, Pause

NOTHING = mark_safe('<span class="qc-nothing">–</span>')
NOTE_CHARACTERS_MAX = 80  # beside a badge
TITLE_CHARACTERS_MAX = 1_000  # what a tooltip can show; the job's page has the rest

# A state is told by its word, its shape and its colour, so that none of the three is needed.
SHAPES: dict[str, str] = {
    State.SCHEDULED: "◷",
    State.PENDING: "○",
    State.PROCESSING: "●",
    State.COMPLETED: "✓",
    State.FAILED: "↻",
    State.DEAD: "✕",
    State.CANCELLED: "⊘",
    Ending.TIMED_OUT: "◔",
    Ending.LOST: "✕",
    Ending.RELEASED: "↩",
    Liveness.ALIVE: "●",
    Liveness.LATE: "◔",
    Liveness.GONE: "✕",
    Liveness.STOPPED: "■",
    "paused": "‖",
}


def badge(name: str, word: str) -> SafeString:
    """Return the badge of a state, an ending or a liveness; `name` picks its shape and colour."""
    return format_html(
        '<span class="qc-badge qc-{}"><span class="qc-shape" aria-hidden="true">{}</span> {}</span>',
        name.replace("_", "-"),
        SHAPES.get(name, "·"),
        word,
    )


def state(value: str) -> SafeString:
    return badge(value, str(State(value).label))


def ending(value: str) -> SafeString:
    """Return the badge of how an attempt ended. A failed attempt is bad news, a failed job is one that is retried."""
    label = str(Ending(value).label)
    return badge("dead", label) if value in {Ending.FAILED, Ending.LOST, Ending.TIMED_OUT} else badge(value, label)


def pause(value: Pause, *, now: datetime) -> SafeString:
    """Return the badge of a paused queue with who paused it, when, until when and why."""
    by = _("by %(name)s") % {"name": one_line(value.by, NOTE_CHARACTERS_MAX)} if value.by else ""
    until = _("until %(time)s") % {"time": moments.absolute(value.until)} if value.until else ""
    reason = one_line(value.reason or "", NOTE_CHARACTERS_MAX)
    said = " · ".join(text for text in (by, until, reason) if text)
    since = moment(value.since, now=now)
    return format_html('{} <span class="qc-note">{} {}</span>', badge("paused", _("paused")), since, said)


def kind(value: str) -> str:
    return str(Kind(value).label) if value in Kind else value


def moment(value: datetime | None, *, now: datetime) -> SafeString:
    """Return how long ago or ahead `value` is, with the exact time in the title."""
    if value is None:
        return NOTHING
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moments.iso(value),
        moments.absolute(value),
        moments.relative(value, now=now),
    )


def exact(value: datetime, *, now: datetime) -> SafeString:
    """Return `value` in the active time zone, with how long ago or ahead it is in the title."""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moments.iso(value),
        moments.relative(value, now=now),
        moments.absolute(value),
    )


def duration(seconds: float | None) -> SafeString:
    if seconds is None:
        return NOTHING
    return format_html('<span class="qc-number">{}</span>', moments.rough(max(0.0, seconds)))


def code(text: str | None, limit: int) -> SafeString:
    """Return `text` cut to one line of code, and as much of it as a tooltip holds in the title."""
    if not text:
        return NOTHING
    shown = one_line(text, limit)
    return format_html('<code class="qc-code" title="{}">{}</code>', _title(text), shown)


def line(text: str | None, limit: int) -> SafeString:
    """Return `text` cut to one line of prose."""
    if not text:
        return NOTHING
    return format_html('<span class="qc-line" title="{}">{}</span>', _title(text), one_line(text, limit))


def count_of(number: int, limit: int) -> SafeString:
    """Return `2/4`, read aloud as `2 of 4`."""
    words = _("%(number)d of %(limit)d") % {"number": number, "limit": limit}
    return format_html('<span class="qc-number" title="{}">{}/{}</span>', words, number, limit)


def _title(text: str) -> str:
    cut = printable(text[:TITLE_CHARACTERS_MAX])
    return cut if len(text) <= TITLE_CHARACTERS_MAX else f"{cut}…"
