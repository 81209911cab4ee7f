"""What a long run calls flat, and that it counts how often each job ran."""

import pytest

from benchmarks.marks import Inexact
from benchmarks.soak import judging, kinds, latency
from benchmarks.soak.judging import Series

MINUTE = 60
AT = [float(moment) for moment in range(0, 60 * MINUTE, 10)]


def series(**values: list[float]) -> Series:
    return {"at": AT, **values}


def rising(*, start: float, per_hour: float) -> list[float]:
    return [start + per_hour * at / 3_600 for at in AT]


def numbers(name: str, count: int) -> list[int]:
    """Return the first jobs of a kind."""
    return [number for number in range(10_000) if kinds.kind_of(number).action == name][:count]


@pytest.mark.parametrize("per_hour", [-20, 0, 1])
def test_it_calls_memory_flat_that_hardly_rises_or_falls(per_hour):
    (verdict,) = judging.verdicts(series(main_supervisor_pss=rising(start=25, per_hour=per_hour)))
    assert verdict.is_flat


def test_it_sees_a_leak_of_four_megabytes_an_hour():
    (verdict,) = judging.verdicts(series(main_supervisor_pss=rising(start=25, per_hour=4)))
    assert not verdict.is_flat
    assert verdict.rise == pytest.approx(4 * judging.WINDOW_SHARE, abs=0.05)


def test_it_sees_one_open_file_more_in_the_window():
    files = [19.0 if at < 40 * MINUTE else 20.0 for at in AT]
    (verdict,) = judging.verdicts(series(main_supervisor_files=files))
    assert not verdict.is_flat


def test_it_does_not_mind_how_a_run_begins():
    rows = [min(at, 10 * MINUTE) * 30 for at in AT]
    (verdict,) = judging.verdicts(series(rows=rows))
    assert verdict.is_flat


def test_it_minds_a_log_that_is_large_once():
    wal = [40.0 if at == 50 * MINUTE else 16.0 for at in AT]
    (verdict,) = judging.verdicts(series(wal=wal))
    assert not verdict.is_flat


def test_it_mixes_the_kinds_in_their_shares():
    of_a_hundred = [kinds.kind_of(number) for number in range(300, 400)]
    assert [of_a_hundred.count(kind) for _, kind in kinds.SHARES] == [share for share, _ in kinds.SHARES]
    assert {kinds.kind_of(number) for number in range(400)} >= set(kinds.ROUGH_KINDS)


def test_it_accepts_jobs_that_ran_as_often_as_they_must():
    enqueued = [(number, 0) for number in range(400)]
    found = [(number, 1) for number, _ in enqueued for _ in range(kinds.kind_of(number).runs)]
    latency.refuse_inexact(found, enqueued)


@pytest.mark.parametrize(("name", "runs"), [("task", 0), ("task", 2), ("flaky_task", 1), ("cancelled_task", 1)])
def test_it_refuses_a_job_that_ran_too_often_or_too_seldom(name, runs):
    (number,) = numbers(name, 1)
    with pytest.raises(Inexact, match=f"{runs} runs instead of .* such as {number}"):
        latency.refuse_inexact([(number, 1)] * runs, [(number, 0)])


def test_it_refuses_a_run_of_a_job_that_nobody_was_told_of():
    with pytest.raises(Inexact, match="unknown"):
        latency.refuse_inexact([(7, 1)], [])


def test_it_tells_how_long_tasks_waited_in_each_half_minute():
    first, second, third = numbers("task", 3)
    enqueued = [(first, 0), (second, 1_000_000), (third, 31_000_000_000)]
    found = [(first, 2_000_000), (second, 5_000_000), (third, 31_007_000_000)]
    assert latency.pickups(found, enqueued, started_ns=0) == [
        {"at": 0, "p50": 2, "p99": 4},
        {"at": 30, "p50": 7, "p99": 7},
    ]
