"""Counting durations in buckets, so that percentiles of any window are a sum of small lists."""

from bisect import bisect_left
from collections.abc import Sequence

# Upper bounds, at most a factor of two apart; so is a percentile read from them. From a millisecond to an hour.
BUCKET_SECONDS = (
    0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5,
    1, 2, 3, 5, 10, 20, 30, 60, 120, 180, 300, 600, 1_200, 1_800, 3_600,
)  # fmt: skip


def empty() -> list[int]:
    """Return a histogram of nothing: a count per bucket, and one for what is beyond the last."""
    return [0] * (len(BUCKET_SECONDS) + 1)


def add(histogram: list[int], seconds: float) -> None:
    """Count one duration, in place."""
    histogram[bisect_left(BUCKET_SECONDS, seconds)] += 1


def total(histograms: Sequence[Sequence[int]]) -> list[int]:
    """Return the sum of histograms; one of another length, from another release, is left out."""
    buckets = len(BUCKET_SECONDS) + 1
    fitting = [histogram for histogram in histograms if len(histogram) == buckets]
    return [sum(counts) for counts in zip(*fitting, strict=True)] if fitting else empty()


def percentile(histogram: Sequence[int], share: float) -> float | None:
    """Return the upper bound in seconds of the bucket that holds the given share (0 to 1); None for an empty histogram.

    What lies beyond the last bound is reported as the last bound.
    """
    if not any(histogram):
        return None
    wanted = max(1.0, share * sum(histogram))
    seen = 0
    for bound, count in zip(BUCKET_SECONDS, histogram, strict=False):
        seen += count
        if seen >= wanted:
            return bound
    return BUCKET_SECONDS[-1]
