"""Text of others, made harmless to a terminal and whole to the eye."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import visible

DANGEROUS = {chr(code) for code in (*range(32), *range(127, 160))} | set("\u202a\u202e\u2066\u2069\u200f\u2028\u061c")
# What no screen shows, although it is part of the text: spaces without width, a soft hyphen, tags.
UNSEEN = set("\u00ad\u180e\u200b\u2060\u2061\u2062\u2063\u2064\ufeff") | {chr(code) for code in range(0xE0000, 0xE0080)}


@given(st.text() | st.text(alphabet=sorted(DANGEROUS | UNSEEN)))
def test_it_leaves_nothing_that_a_terminal_would_obey_or_not_show(text):
    hidden = DANGEROUS | UNSEEN
    assert not hidden & set(visible.line(text))
    assert not (hidden - {"\n", "\t"}) & set(visible.lines(text))
    assert not (hidden - {"\n", "\t"}) & set(visible.printed(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本 🙂", "plain é 日本 🙂"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\u202e", "\\u202e"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("👩\u200d🚒 می\u200cخواهم", "👩\u200d🚒 می\u200cخواهم"),
    ],
)
def test_it_shows_such_characters_as_escapes(text, shown):
    assert visible.line(text) == shown


def test_it_keeps_lines_where_they_are_wanted():
    assert visible.lines("a\n\tb\r\n") == "a\n\tb\\r\n"
    assert visible.printed("a\n\tb\r\nc\rd") == "a\n\tb\nc\\rd"
