"""huey: a consumer with two worker processes. A job is deleted when it is taken: one whose worker dies is lost."""

# /// script
# dependencies = ["huey==3.5.*"]
# [tool.benchmark]
# name = "huey"
# settings = [
#     "huey_consumer --worker-type process --workers 2 --delay 0.05 --backoff 1 (default: 0.1 s, up to 10 s)",
#     "SQLite: WAL, fsync=True (synchronous=FULL)",
#     "Redis: blocking",
# ]
# [tool.benchmark.stores]
# sqlite = []
# redis = ["redis==7.*"]
# ///

import os
from urllib.parse import urlsplit

from huey import RedisHuey, SqliteHuey

from benchmarks import mark

url = os.environ["BENCH_URL"]
if os.environ["BENCH_STORE"] == "sqlite":
    huey = SqliteHuey("bench", filename=urlsplit(url).path, fsync=True)
else:
    huey = RedisHuey("bench", url=url)


@huey.task()
def work(number: int) -> None:
    mark.mark(number)


def prepare() -> None:
    pass  # done by the constructor


def enqueue(number: int) -> None:
    work(number)


def workers() -> list[list[str]]:
    options = "--worker-type process --workers 2 --delay 0.05 --backoff 1 --no-periodic --quiet"
    return [["huey_consumer", "benchmarks.systems.huey.huey", *options.split()]]
