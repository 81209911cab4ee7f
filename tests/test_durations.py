"""Durations as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5_400), ("2d", 172_800), ("1.5h", 5_400), ("250ms", 0.25),
     (" 1H 30M ", 5_400), ("0", 0), ("0.5", 0.5), ("1d2h3m4s", 93_784)],
)  # fmt: skip
def test_it_reads_what_people_write(text, seconds):
    assert durations.parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "soon", "-1", "-1h", "1w", "h", "1h30x", "1e5", "nan", "inf", "1_000", "١s", "1.", ".5", "1..5s", "0x10",
     "1h-30m", "9" * 33, "1m" * 1_000],
)  # fmt: skip
def test_it_refuses_everything_else(text):
    with pytest.raises(ValueError, match="not a duration"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "0.25s"), (90, "1m30s"), (5_400, "1h30m"), (172_800, "2d"), (59.9999, "1m"), (-90, "-1m30s")],
)
def test_it_writes_what_people_read(seconds, text):
    assert durations.text(seconds) == text


@given(st.integers(min_value=0, max_value=10**11))
def test_it_reads_back_what_it_writes(milliseconds):
    assert durations.parse(durations.text(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=0.0005)


@given(st.text())
def test_it_reads_a_number_of_seconds_or_refuses(text):
    try:
        seconds = durations.parse(text)
    except ValueError:
        return
    assert 0 <= seconds < 10**40
