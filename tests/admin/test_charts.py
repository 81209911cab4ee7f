"""Where bars, lines and labels stand."""

from datetime import timedelta

import pytest

from jobs.admin import charts
from jobs.admin.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, Row, Subject
from tests.clock import NOW


def subject(*rows: Row) -> Subject:
    moments = [NOW + timedelta(minutes=place) for place in range(len(rows[0].values))]
    return Subject(name="x", title="X", moments=moments, rows=rows, text=lambda value: f"{value:g}")


def row(*values: float | None, name: str = "a") -> Row:
    return Row(name=name, label=name.upper(), values=values)


def points(chart: Chart) -> list[list[tuple[float, float]]]:
    pairs = [[point.split(",") for point in line.points.split()] for line in chart.lines]
    return [[(float(x), float(y)) for x, y in piece] for piece in pairs]


def test_bars_stand_on_each_other():
    chart = charts.bars(subject(row(3, 0), row(1, 2, name="b")))
    assert [(bar.name, bar.x < (LEFT + RIGHT) / 2) for bar in chart.bars] == [("a", True), ("b", True), ("b", False)]
    first, second, third = chart.bars
    assert first.y + first.height == pytest.approx(BOTTOM, abs=0.2)
    assert second.y + second.height == pytest.approx(first.y, abs=0.2)
    assert first.height == pytest.approx(3 * second.height, abs=0.3)
    assert third.height == pytest.approx(2 * second.height, abs=0.3)


@pytest.mark.parametrize("values", [(1,), (0.001, 7), tuple(range(97)), (10**12, 1)])
def test_nothing_is_drawn_outside(values: tuple[float, ...]):
    chart = charts.bars(subject(row(*values)))
    for bar in chart.bars:
        assert bar.x >= LEFT
        assert bar.x + bar.width <= RIGHT
        assert bar.y >= TOP - 0.1
    for label in chart.times:
        assert LEFT <= label.x <= RIGHT


def test_one_among_a_million_is_seen():
    chart = charts.bars(subject(row(1_000_000), row(1, name="b")))
    assert chart.bars[1].height >= 1


def test_a_line_ends_where_nothing_is_known():
    chart = charts.lines(subject(row(1, 2, None, 4, 5, None)))
    assert [len(piece) for piece in points(chart)] == [2, 2]


def test_one_point_alone_is_a_dash():
    (((x1, y1), (x2, y2)),) = points(charts.lines(subject(row(None, 3, None))))
    assert x1 < x2
    assert y1 == y2


def test_a_line_rises_with_its_values():
    (piece,) = points(charts.lines(subject(row(0, 1, 2))))
    assert [y for _, y in piece] == [BOTTOM, pytest.approx((BOTTOM + TOP) / 2), TOP]


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (1, 1), (1.5, 2), (3, 5), (7, 10), (51, 100), (0.3, 0.5), (0.0011, 0.002), (0.02, 0.02)]
)
def test_the_scale_ends_at_a_round_number(most: float, top: float):
    chart = charts.lines(subject(row(most)))
    assert float(chart.scale[-1].text) == pytest.approx(top)


def test_the_table_tells_the_same_the_latest_first():
    chart = charts.lines(subject(row(1, None), row(0.5, 2, name="b")))
    assert chart.table == [(NOW + timedelta(minutes=1), ["–", "2"]), (NOW, ["1", "0.5"])]


@pytest.mark.parametrize("values", [(0, 0), (None, None)])
def test_it_knows_that_nothing_happened(values: tuple[float | None, ...]):
    assert charts.bars(subject(row(*values))).is_empty


def test_weeks_are_labelled_with_their_days():
    moments = [NOW + timedelta(hours=4 * place) for place in range(42)]
    week = Subject(name="x", title="X", moments=moments, rows=[row(*range(42))], text=str)
    assert all(label.text.split()[0].isalpha() for label in charts.bars(week).times)
