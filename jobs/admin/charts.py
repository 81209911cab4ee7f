"""Charts as SVG: where each bar, line and label stands. Pure arithmetic; a template draws it, without any script."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise

# The drawing's own units; the page scales it.
WIDTH, HEIGHT = 340, 160
LEFT, RIGHT, TOP, BOTTOM = 54, 336, 10, 132
GAP_SHARE = 0.2  # of a bar's place
LABELS = 3  # under the chart
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One of several values over time; `name` picks its colour. None: there is nothing to tell of that moment."""

    name: str
    label: str | Promise
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Points joined; a piece ends where a value is missing."""

    name: str
    points: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a chart is about: rows of values at the same moments, and how one value is written."""

    name: str
    title: str | Promise
    moments: Sequence[datetime]
    rows: Sequence[Row]
    text: Callable[[float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing, and the same as a table, the latest first."""

    subject: Subject
    scale: list[Label]
    times: list[Label]
    table: list[tuple[datetime, list[str]]]
    bars: Sequence[Bar] = ()
    lines: Sequence[Line] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT

    @property
    def is_empty(self) -> bool:
        return not self.bars and not self.lines


def bars(subject: Subject) -> Chart:
    """Return counts as bars, one on top of the other."""
    top = _round_up(max((sum(value or 0 for value in values) for values in _columns(subject.rows)), default=0))
    return _chart(subject, top, bars=list(_bars(subject.rows, top)))


def lines(subject: Subject) -> Chart:
    """Return measures as lines."""
    top = _round_up(max((value for row in subject.rows for value in row.values if value is not None), default=0))
    return _chart(subject, top, lines=[piece for row in subject.rows for piece in _pieces(row, top)])


def _chart(subject: Subject, top: float, **drawing: Any) -> Chart:
    text = subject.text
    table = [
        (moment, ["–" if value is None else text(value) for value in values])
        for moment, values in zip(subject.moments, _columns(subject.rows), strict=True)
    ]
    return Chart(
        subject=subject,
        scale=[Label(text=text(top * share), x=LEFT - 6, y=_y(share)) for share in (0, 0.5, 1)],
        times=list(_times(subject.moments)),
        table=table[::-1],
        **drawing,
    )


def _columns(rows: Sequence[Row]) -> Iterator[tuple[float | None, ...]]:
    return zip(*(row.values for row in rows), strict=True)


def _bars(rows: Sequence[Row], top: float) -> Iterator[Bar]:
    columns = list(_columns(rows))
    place = (RIGHT - LEFT) / max(1, len(columns))
    for number, values in enumerate(columns):
        below = 0.0
        for row, value in zip(rows, values, strict=True):
            if value:
                x, y = LEFT + (number + GAP_SHARE / 2) * place, _y((below + value) / top)
                height = max(1.0, value / top * (BOTTOM - TOP))  # one failure among a million is seen
                yield Bar(
                    name=row.name,
                    x=_short(x),
                    y=_short(y),
                    width=_short(place * (1 - GAP_SHARE)),
                    height=_short(height),
                )
                below += value


def _pieces(row: Row, top: float) -> Iterator[Line]:
    place = (RIGHT - LEFT) / max(1, len(row.values))
    piece: list[tuple[float, float]] = []
    for number, value in enumerate([*row.values, None]):
        if value is not None:
            piece.append((LEFT + (number + 0.5) * place, _y(value / top)))
        elif piece:
            yield Line(name=row.name, points=_points(piece, alone_width=place / 2))
            piece = []


def _points(piece: Sequence[tuple[float, float]], *, alone_width: float) -> str:
    if len(piece) == 1:  # which would not be seen
        ((x, y),) = piece
        piece = [(x - alone_width / 2, y), (x + alone_width / 2, y)]
    return " ".join(f"{_short(x)},{_short(y)}" for x, y in piece)


def _times(moments: Sequence[datetime]) -> Iterator[Label]:
    if not moments:
        return
    is_long = (moments[-1] - moments[0]).total_seconds() > DAY_SECONDS
    place = (RIGHT - LEFT) / len(moments)
    step = max(1, len(moments) // LABELS)
    for number in range(step // 2, len(moments), step):
        local = timezone.localtime(moments[number])
        text = local.strftime("%a %H:%M" if is_long else "%H:%M")
        yield Label(text=text, x=_short(LEFT + (number + 0.5) * place), y=HEIGHT - 8)


def _y(share: float) -> float:
    return BOTTOM - share * (BOTTOM - TOP)


def _short(number: float) -> float:
    return round(number, 1)


def _round_up(most: float) -> float:
    """Return the least of 1, 2, 5, 10, 20, 50 … and 0.5, 0.2 … that is no less; 1 for nothing."""
    if most <= 0:
        return 1.0
    unit = 1.0
    while unit < most:
        unit *= 10
    while unit / 10 >= most:
        unit /= 10
    return next(top for share in (0.2, 0.5, 1) if (top := share * unit) >= most)
