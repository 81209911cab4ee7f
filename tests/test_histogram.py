"""Durations counted in buckets, and percentiles read from them."""

import itertools

import pytest

from jobs import histogram


def _of(*durations: float) -> list[int]:
    counts = histogram.empty()
    for seconds in durations:
        histogram.add(counts, seconds)
    return counts


def test_it_has_bounds_that_grow_by_at_most_a_factor_of_two():
    bounds = histogram.BUCKET_SECONDS
    assert all(1 < later / earlier <= 2 for earlier, later in itertools.pairwise(bounds))


def test_it_is_empty_at_first():
    assert sum(histogram.empty()) == 0


def test_it_gives_every_caller_a_histogram_of_its_own():
    histogram.add(histogram.empty(), 1)
    assert sum(histogram.empty()) == 0


@pytest.mark.parametrize("bound", histogram.BUCKET_SECONDS)
def test_it_counts_a_bound_in_its_own_bucket(bound: float):
    assert histogram.percentile(_of(bound), 1.0) == bound


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_it_counts_nothing_at_all_and_less_in_the_first_bucket(seconds: float):
    assert histogram.percentile(_of(seconds), 0.5) == histogram.BUCKET_SECONDS[0]


@pytest.mark.parametrize("seconds", [3_600.1, 1e9, float("inf")])
def test_it_reports_what_lies_beyond_the_last_bound_as_the_last_bound(seconds: float):
    counts = _of(seconds)
    assert counts[-1] == 1
    assert histogram.percentile(counts, 0.5) == histogram.BUCKET_SECONDS[-1]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_it_knows_no_percentile_of_nothing(share: float):
    assert histogram.percentile(histogram.empty(), share) is None


@pytest.mark.parametrize(("share", "seconds"), [(0.1, 0.01), (0.5, 0.01), (0.51, 1), (0.9, 1), (0.91, 60), (1.0, 60)])
def test_it_finds_the_bucket_that_holds_a_share(share: float, seconds: float):
    counts = _of(*[0.01] * 5, *[1.0] * 4, 60.0)
    assert histogram.percentile(counts, share) == seconds


def test_it_finds_the_smallest_for_a_share_of_nothing():
    assert histogram.percentile(_of(1.0, 60.0), 0.0) == 1


def test_it_sums_histograms():
    assert histogram.total([_of(1, 1), _of(1, 60), _of()]) == _of(1, 1, 1, 60)


def test_it_sums_none_to_an_empty_one():
    assert histogram.total([]) == histogram.empty()


def test_it_leaves_out_the_histogram_of_another_release():
    assert histogram.total([_of(1), [5, 5], []]) == _of(1)


def test_it_does_not_touch_what_it_sums():
    first = _of(1)
    histogram.total([first, _of(1)])
    assert first == _of(1)
