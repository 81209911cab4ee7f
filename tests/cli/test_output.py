"""What reaches the terminal: harmless, fitted, coloured only where it is wanted."""

import io

from hypothesis import given
from hypothesis import strategies as st

from jobs import visible
from jobs.cli import table
from jobs.cli.output import Output
from jobs.cli.table import Cell, Column
from tests.cli.command import Terminal


def printed(show, *, stream: io.StringIO) -> str:
    show(Output(stream, stream))
    return stream.getvalue()


def test_it_uses_colour_only_on_a_terminal_that_wants_it(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def show(output: Output) -> None:
        output.line("dead", style="red")

    assert printed(show, stream=Terminal()) == "\x1b[31mdead\x1b[0m\n"
    assert printed(show, stream=io.StringIO()) == "dead\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert printed(show, stream=Terminal()) == "dead\n"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert printed(show, stream=Terminal()) == "dead\n"


def test_it_wraps_sentences_beside_their_label(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")

    def show(output: Output) -> None:
        output.prose("one two three four five six seven eight nine", label=[Cell("label  ")])

    assert printed(show, stream=Terminal()) == "label  one two three four five six seven\n       eight nine\n"
    assert printed(show, stream=io.StringIO()) == "label  one two three four five six seven eight nine\n"


COLUMNS = (
    Column(title="ID"),
    Column(title="N", is_right=True, optional_rank=2),
    Column(title="QUEUE", optional_rank=1),
    Column(title="COMMAND", is_flexible=True),
)
ROW = [Cell("job1"), Cell("12"), Cell("default"), Cell("x" * 40)]


def lines(width: int | None) -> list[str]:
    return ["".join(cell.text for cell in line) for line in table.render(COLUMNS, [ROW], width=width)]


def test_it_aligns_a_table_and_cuts_nothing_where_there_is_no_width():
    assert lines(None) == ["ID     N  QUEUE    COMMAND", f"job1  12  default  {'x' * 40}"]


def test_it_cuts_the_flexible_column_to_the_width():
    assert lines(50)[1] == f"job1  12  default  {'x' * 30}…"


def test_it_leaves_out_columns_before_it_cuts_too_much():
    assert lines(30)[0].split() == ["ID", "N", "COMMAND"]
    assert lines(24)[0].split() == ["ID", "COMMAND"]
    assert lines(24)[1] == f"job1  {'x' * 17}…"


@given(st.lists(st.text(max_size=60), min_size=4, max_size=4), st.integers(min_value=20, max_value=120))
def test_it_never_makes_a_flexible_column_wider_than_the_terminal(texts, width):
    cells = [Cell(visible.line(text)) for text in texts]
    columns = [Column(title=title, is_flexible=True) for title in "ABCD"]
    for line in table.render(columns, [cells], width=width):
        assert table.text_width("".join(cell.text for cell in line)) <= width


def test_it_counts_wide_characters_twice_and_combining_ones_not_at_all():
    assert table.text_width("日本") == 4
    assert table.text_width("e\u0301") == 1
    assert table.cut("日本語", 5) == "日本…"


def test_it_prints_json_that_is_whole_and_exact():
    stream = io.StringIO()
    Output(stream, stream).json({"text": "é\x1b\n", "number": 1.5})
    assert stream.getvalue() == '{"text": "\\u00e9\\u001b\\n", "number": 1.5}\n'


def test_it_shows_progress_only_where_someone_looks_and_it_takes_long(monkeypatch):
    monkeypatch.setattr("jobs.cli.output.PROGRESS_AFTER_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    piped = io.StringIO()
    with Output(piped, piped).progress("working", total=2) as progress:
        progress.advance(2)
    assert piped.getvalue() == ""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Output(piped, terminal).progress("working \x1b[2J", total=2) as progress:
        progress._timer.join()
        progress.advance(2)
    assert "working \\x1b[2J" in terminal.getvalue()
