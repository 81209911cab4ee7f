"""Tables as aligned text, fitted to a width or as wide as they are. Pure."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

GAP = "  "
ELLIPSIS = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. A flexible one is cut to fit. Where space is short, optional ones go, the lowest rank first."""

    title: str
    is_right: bool = False
    is_flexible: bool = False
    narrowest: int = 16  # a flexible column that is cut to less says nothing
    optional_rank: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text, and the style it is shown in where there are styles."""

    text: str
    style: str | None = None


def text_width(text: str) -> int:
    """Return the columns `text` takes on a terminal: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def render(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, width: int | None) -> list[list[Cell]]:
    """Return the lines of a table, each as pieces to print one after another. `width` of None: as wide as it is."""
    kept = list(range(len(columns)))
    while (
        width is not None and not _fits(columns, rows, kept, width) and (spare := _sparable(columns, kept)) is not None
    ):
        kept.remove(spare)
    widths = _widths(columns, rows, kept)
    if width is not None:
        _shrink(columns, kept, widths, width)
    heads = [Cell(columns[place].title, "dim") for place in kept]
    body = [[row[place] for place in kept] for row in rows]
    return [_line([columns[place] for place in kept], widths, cells) for cells in [heads, *body]]


def _fits(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], kept: list[int], width: int) -> bool:
    """Tell whether the table fits when its flexible columns are at their narrowest."""
    widths = _widths(columns, rows, kept)
    least = [
        min(size, columns[place].narrowest) if columns[place].is_flexible else size
        for place, size in zip(kept, widths, strict=True)
    ]
    return sum(least) + len(GAP) * (len(kept) - 1) <= width


def _sparable(columns: Sequence[Column], kept: list[int]) -> int | None:
    optional = [(rank, place) for place in kept if (rank := columns[place].optional_rank) is not None]
    return min(optional)[1] if optional else None


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], kept: list[int]) -> list[int]:
    return [max([text_width(columns[place].title), *(text_width(row[place].text) for row in rows)]) for place in kept]


def _shrink(columns: Sequence[Column], kept: list[int], widths: list[int], width: int) -> None:
    """Take what is too much from the widest flexible column, a character at a time, down to its title."""
    flexible = [index for index, place in enumerate(kept) if columns[place].is_flexible]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    while excess > 0 and flexible:
        widest = max(flexible, key=lambda index: widths[index])
        if widths[widest] <= len(columns[kept[widest]].title):
            return
        widths[widest] -= 1
        excess -= 1


def _line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[Cell]) -> list[Cell]:
    pieces: list[Cell] = []
    for index, (column, width, cell) in enumerate(zip(columns, widths, cells, strict=True)):
        text = cut(cell.text, width)
        padding = " " * (width - text_width(text))
        is_last = index == len(columns) - 1
        if column.is_right:
            pieces.append(Cell(padding))
        pieces.append(Cell(text, cell.style))
        if not is_last:
            pieces.append(Cell(GAP if column.is_right else padding + GAP))
    return pieces


def cut(text: str, width: int) -> str:
    """Return `text`, its end replaced by an ellipsis if it takes more columns than `width`."""
    if text_width(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += _character_width(character)
        if used > width - 1:
            break
        kept += character
    return kept + ELLIPSIS


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or character in "\u200c\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
