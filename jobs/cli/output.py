"""The only way to the terminal: text is made harmless here, and styled only where someone looks.

Data goes to stdout, everything else to stderr. What was stored by others may hold anything; nothing that a terminal
would obey passes `jobs.visible`.
"""

import io
import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from jobs import moments, visible
from jobs.cli import table
from jobs.cli.table import Cell, Column

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
WORD_MAX_CHARACTERS = 200  # of what a message repeats: a path is whole, a paste of pages does not bury the message
PROGRESS_AFTER_SECONDS = 1.0
PROSE_MIN_WIDTH = 20  # a narrower terminal wraps by itself


class Stream(Protocol):
    """A text stream, such as Django's OutputWrapper."""

    def write(self, text: str, /) -> Any: ...

    def isatty(self) -> bool: ...

    def flush(self) -> None: ...


def brief(text: str) -> str:
    """Return a line that repeats what someone typed, as it may be printed: visible, and without words of pages."""
    return re.sub(rf"(\S{{{WORD_MAX_CHARACTERS}}})\S+", r"\1…", visible.line(text))


def silence_stdout() -> None:
    """Point stdout at nothing, or what it holds and cannot write would fail again, at the latest when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Output:
    """Where a verb prints."""

    def __init__(self, stdout: Stream, stderr: Stream, *, color: bool | None = None, width: int | None = None) -> None:
        """`color` of None: on a terminal that wants it. `width` of None: the terminal's, or none when piped."""
        self._stdout = stdout
        self._stderr = stderr
        self.is_terminal = stdout.isatty() or width is not None
        self._has_color = _wants_color(stdout) if color is None else color
        self._has_error_color = _wants_color(stderr) if color is None else color
        self._width = width

    @property
    def width(self) -> int | None:
        """Columns to fit tables to; None: do not cut anything."""
        if not self.is_terminal:
            return None
        return self._width or shutil.get_terminal_size().columns

    def rendered(self, show: Callable[["Output"], None]) -> str:
        """Return what `show` would print here, colours and width included."""
        stream = io.StringIO()
        show(Output(stream, stream, color=self._has_color, width=self.width))
        return stream.getvalue()

    def line(self, text: str = "", *, style: str | None = None) -> None:
        """Print one line of data."""
        self.pieces([Cell(text, style)])

    def pieces(self, cells: Sequence[Cell]) -> None:
        """Print one line of data that is made of differently styled pieces."""
        text = "".join(_styled(visible.line(cell.text), cell.style, self._has_color) for cell in cells)
        self._write(f"{text.rstrip()}\n")

    def prose(self, text: str, *, label: Sequence[Cell] = (), style: str | None = None) -> None:
        """Print a sentence after its label; on a terminal it is wrapped between words, to the right of the label."""
        indent = sum(table.text_width(cell.text) for cell in label)
        lines = _wrapped(visible.line(text), None if self.width is None else self.width - indent)
        self.pieces([*label, Cell(lines[0], style)])
        for line in lines[1:]:
            self.pieces([Cell(" " * indent), Cell(line, style)])

    def remedy(self, command: str | None, *, indent: int = 2) -> None:
        """Print what helps, if anything does, under the line that says what is wrong."""
        if command:
            self.prose(command, label=[Cell(" " * indent), Cell("try  ", "dim")])

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]]) -> None:
        cells = [[_cell(cell) for cell in row] for row in rows]
        for line in table.render(columns, cells, width=self.width):
            self.pieces(line)

    def json(self, value: Any) -> None:
        """Print a value as JSON; text that is not ASCII is escaped, which keeps a terminal safe and a pipe exact."""
        indent = 2 if self.is_terminal else None
        self._write(json.dumps(value, indent=indent, default=_json_value) + "\n")

    def stored(self, text: str) -> None:
        """Print what a job printed: harmless on a terminal, as it is into a pipe."""
        self._write(visible.printed(text) if self.is_terminal else text)

    def note(self, text: str, *, style: str | None = None) -> None:
        """Print one line that is not data."""
        self._stdout.flush()
        self._stderr.write(f"{_styled(visible.line(text), style, self._has_error_color)}\n")
        self._stderr.flush()

    def error(self, text: str) -> None:
        self._stdout.flush()
        prefix = _styled("queuectl:", "red", self._has_error_color)
        self._stderr.write(f"{prefix} {brief(text)}\n")
        self._stderr.flush()

    def flush(self) -> None:
        self._stdout.flush()

    @property
    def has_person(self) -> bool:
        """Whether someone can be asked. Standard input is None where the caller closed it."""
        return sys.stdin is not None and sys.stdin.isatty()

    def confirms(self, question: str) -> bool:
        """Ask a person; `has_person` tells whether there is one."""
        self._stderr.write(f"{visible.line(question)} [y/N] ")
        self._stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def progress(self, what: str, *, total: int | None = None) -> Iterator["Progress"]:
        """Show a bar on stderr, if a person looks and it takes longer than a second."""
        progress = Progress(what, total, is_shown=self._stderr.isatty())
        try:
            yield progress
        finally:
            progress.end()

    def _write(self, text: str) -> None:
        self._stdout.write(text)


class Progress:
    """How far something is."""

    def __init__(self, what: str, total: int | None, *, is_shown: bool) -> None:
        # Imported when someone looks: threads and rich would add a tenth to the start of every command.
        self._bar: Any = None
        self._timer: Any = None
        if is_shown:
            from threading import Timer

            self._timer = Timer(PROGRESS_AFTER_SECONDS, self._show)
            self._timer.daemon = True
            self._what, self._total, self._done = visible.line(what), total, 0
            self._timer.start()

    def advance(self, count: int) -> None:
        if self._timer is not None:
            self._done += count
            if self._bar is not None:
                self._bar.update(self._task, total=self._total, completed=self._done)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            if self._bar is not None:
                self._bar.stop()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = [
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        ]
        bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = bar.add_task(self._what, total=None, completed=self._done)  # pulses until there is progress
        bar.start()
        self._bar = bar


def _wrapped(text: str, width: int | None) -> list[str]:
    if width is None or table.text_width(text) <= width:
        return [text]
    return textwrap.wrap(text, max(width, PROSE_MIN_WIDTH), break_long_words=False, break_on_hyphens=False)


def _wants_color(stream: Stream) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _styled(text: str, style: str | None, has_color: bool) -> str:
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style and text and has_color else text


def _cell(cell: Cell | str) -> Cell:
    """Return the cell with harmless text, so that its width is known before the table is laid out."""
    return Cell(visible.line(cell)) if isinstance(cell, str) else Cell(visible.line(cell.text), cell.style)


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return moments.iso(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
