"""That a system has no figure unless each job ran exactly once."""

import pytest

from benchmarks import mark, marks


def test_it_accepts_one_mark_of_each_job():
    marks.refuse_inexact([(1, 20), (0, 10), (2, 30)], range(3))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([(0, 10), (2, 30)], "of 3 jobs 1 did not run, 0 ran twice, 0 are unknown"),
        ([(0, 10), (1, 20), (1, 25), (2, 30)], "of 3 jobs 0 did not run, 1 ran twice, 0 are unknown"),
        ([(0, 10), (1, 20), (2, 30), (7, 40)], "of 3 jobs 0 did not run, 0 ran twice, 1 are unknown"),
        ([(0, 10), (1, 20), (1, 25)], "of 3 jobs 1 did not run, 1 ran twice, 0 are unknown"),
        ([], "of 3 jobs 3 did not run, 0 ran twice, 0 are unknown"),
    ],
    ids=["missing", "doubled", "unknown", "as-many-as-expected", "none"],
)
def test_it_refuses_anything_else(found, reason):
    with pytest.raises(marks.Inexact, match=reason):
        marks.refuse_inexact(found, range(3))


def test_it_reads_the_marks_of_all_processes_in_the_order_of_time(tmp_path):
    (tmp_path / "100").write_bytes(mark.RECORD.pack(0, 10) + mark.RECORD.pack(2, 30))
    (tmp_path / "101").write_bytes(mark.RECORD.pack(1, 20))
    assert marks.count(tmp_path) == 3
    assert marks.read(tmp_path) == [(0, 10), (1, 20), (2, 30)]


def test_it_leaves_one_mark_for_each_call(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_MARKS", str(tmp_path))
    monkeypatch.setattr(mark, "_descriptor", None)
    for number in (5, 6, 5):
        mark.mark(number)
    assert [number for number, _ in marks.read(tmp_path)] == [5, 6, 5]
