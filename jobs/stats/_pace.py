"""How fast a queue's jobs start, as of late: what an estimate of a job's start is made from."""

from datetime import datetime, timedelta

from jobs.models import Counter

LATELY = timedelta(minutes=10)  # long enough to even out single long jobs, short enough to follow a change of workers


def starts_per_second(*, queue: str, now: datetime) -> float:
    """Return how many attempts started a second in the last ten minutes, or since the first of them; 0.0: none did."""
    counters = Counter.objects.filter(minute__gt=now - LATELY, minute__lte=now, queue=queue)
    starts = [(minute, sum(waits)) for minute, waits in counters.values_list("minute", "wait_histogram") if any(waits)]
    if not starts:
        return 0.0
    seconds: float = (now - min(minute for minute, _ in starts)).total_seconds()
    number: float = sum(number for _, number in starts)
    return number / max(1.0, seconds)
