"""celery on Redis: one worker of two processes. A message is acknowledged before its task runs, as is its default."""

# /// script
# dependencies = ["celery[redis]==5.7.*"]
# [tool.benchmark]
# name = "celery"
# settings = [
#     "celery worker --concurrency 2 --prefetch-multiplier 100 -O fair (default: 4 messages a process)",
#     "--without-gossip --without-mingle --without-heartbeat; ignore_result=True",
# ]
# [tool.benchmark.stores]
# redis = []
# ///

import os

from celery import Celery

from benchmarks import mark

app = Celery("bench", broker=os.environ["BENCH_URL"])
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True


@app.task
def work(number: int) -> None:
    mark.mark(number)


def prepare() -> None:
    pass  # Redis has no schema


def enqueue(number: int) -> None:
    work.delay(number)


def workers() -> list[list[str]]:
    options = "--concurrency 2 --prefetch-multiplier 100 -O fair --without-gossip --without-mingle --without-heartbeat"
    return [f"celery -A benchmarks.systems.celery worker --loglevel WARNING {options}".split()]
