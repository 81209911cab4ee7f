"""The pages of the admin, with a crowd of jobs behind them. Runs in the environment of this project, for `pages.py`."""

import time
from datetime import timedelta

from django.utils import timezone

from benchmarks import crowd
from jobs import histogram, queue
from jobs.models import Counter, Depth

CROWDS = ("finished", "future", "pending", "dead")
PAGES = {
    "dashboard, an hour": "dashboard/",
    "dashboard, seven days": "dashboard/?window=7d",
    "jobs": "job/",
    "jobs, the eighth page": "job/?p=8",
    "jobs that are pending": "job/?state=pending",
    "jobs that are completed": "job/?state=completed",
    "jobs by a search": "job/?q=queue:default+state:dead+cmd:true",
    "jobs by an id": "job/?q=pending-77",
    "a job": "job/pending-77/change/",
    "dead letters": "deadjob/",
    "a dead job": "deadjob/dead-77/change/",
    "the question before all are requeued": "deadjob/requeue/",
    "config": "config/",
    "a queue's settings": "config/default/change/",
    "workers": "supervisor/",
}
READ = 7  # how often each page is read: the fastest counts, as only the table may slow it
WEEK_MINUTES = 7 * 24 * 60
QUEUES = ("default", "mail")
FEW = 100  # jobs of each crowd, so that each page has something to show


def fill(rows: int) -> None:
    """Put a quarter of `rows` jobs of each crowd into the table, and the counters of a week; a few jobs for 0 rows."""
    for kind in CROWDS:
        crowd.fill(kind, max(FEW, rows // len(CROWDS)))
    if rows:
        _count_a_week()


def _count_a_week() -> None:
    now = timezone.now().replace(second=0, microsecond=0)
    minutes = [now - timedelta(minutes=number) for number in range(WEEK_MINUTES)]
    each = [7] * len(histogram.empty())
    busy = {"enqueued": 99, "completed": 90, "failed": 9, "dead": 1, "run_histogram": each, "wait_histogram": each}
    week = (Counter(minute=minute, queue=queue, writer=1, **busy) for minute in minutes for queue in QUEUES)
    Counter.objects.bulk_create(week, batch_size=1_000)
    list(queue.fold_counters(now=now))  # as a supervisor does all the time
    Depth.objects.bulk_create((Depth(minute=minute, pending=9, processing=2) for minute in minutes), batch_size=1_000)


def times() -> dict[str, float]:
    """Return milliseconds of each page."""
    return {name: min(_milliseconds(path) for _ in range(READ)) for name, path in PAGES.items()}


def _milliseconds(path: str) -> float:
    started = time.perf_counter()
    crowd.visit(path)
    return (time.perf_counter() - started) * 1_000
