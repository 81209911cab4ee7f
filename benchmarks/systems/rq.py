"""rq on Redis: two workers that run jobs in their own process."""

# /// script
# dependencies = ["rq==2.12.*"]
# [tool.benchmark]
# name = "rq"
# settings = ["rq worker --worker-class rq.SimpleWorker, twice (default: a process forked for each job)"]
# [tool.benchmark.stores]
# redis = []
# ///

import os
from collections.abc import Sequence

from redis import Redis
from rq import Queue

from benchmarks import mark

url = os.environ["BENCH_URL"]
queue = Queue(connection=Redis.from_url(url))


def work(number: int) -> None:
    mark.mark(number)


def prepare() -> None:
    pass  # Redis has no schema


def enqueue(number: int) -> None:
    queue.enqueue(work, number)


def enqueue_many(numbers: Sequence[int]) -> None:
    queue.enqueue_many([Queue.prepare_data(work, (number,)) for number in numbers])


def workers() -> list[list[str]]:
    return [f"rq worker --quiet --url {url} --worker-class rq.SimpleWorker".split()] * 2
