"""dramatiq on Redis: two processes of two threads."""

# /// script
# dependencies = ["dramatiq[redis]==2.2.*"]
# [tool.benchmark]
# name = "dramatiq"
# settings = ["dramatiq --processes 2 --threads 2, dramatiq_queue_prefetch=100 (defaults: 8 threads, 16 messages)"]
# [tool.benchmark.stores]
# redis = []
# ///

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks import mark

broker = RedisBroker(url=os.environ["BENCH_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor
def work(number: int) -> None:
    mark.mark(number)


def prepare() -> None:
    pass  # Redis has no schema


def enqueue(number: int) -> None:
    work.send(number)


def workers() -> list[list[str]]:
    command = "env dramatiq_queue_prefetch=100 dramatiq benchmarks.systems.dramatiq --processes 2 --threads 2"
    return [command.split()]
