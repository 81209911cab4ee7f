"""pgqueuer: two processes, each taking a hundred jobs at a time."""

# /// script
# dependencies = ["pgqueuer[asyncpg,uvloop]==1.6.*"]
# [tool.benchmark]
# name = "pgqueuer"
# settings = [
#     "PgQueuer.run(batch_size=100) in two processes (default: 10)",
#     "asyncpg, uvloop",
#     "tables: durable (its default)",
# ]
# [tool.benchmark.stores]
# postgresql = []
# ///

import asyncio
import os
import signal
from collections.abc import Sequence

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks import mark

url = os.environ["BENCH_URL"]
loop = uvloop.new_event_loop()
queries: Queries


async def serve() -> None:
    """Be a worker process, as `pgq run` is."""
    connection = await asyncpg.connect(url)
    queuer = PgQueuer(AsyncpgDriver(connection))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queuer.shutdown.set)

    @queuer.entrypoint("work")
    async def work(job: Job) -> None:
        assert job.payload is not None
        mark.mark(int(job.payload))

    await queuer.run(batch_size=100)


def prepare() -> None:
    global queries
    connection = loop.run_until_complete(asyncpg.connect(url))
    queries = Queries(AsyncpgDriver(connection))
    loop.run_until_complete(queries.install())


def enqueue(number: int) -> None:
    loop.run_until_complete(queries.enqueue("work", b"%d" % number))


def enqueue_many(numbers: Sequence[int]) -> None:
    payloads: list[bytes | None] = [b"%d" % number for number in numbers]
    loop.run_until_complete(queries.enqueue(["work"] * len(payloads), payloads, [0] * len(payloads)))


def completed() -> int:
    statement = "SELECT count(*) AS n FROM pgqueuer_log WHERE status = 'successful'"
    (row,) = loop.run_until_complete(queries.driver.fetch(statement))
    count: int = row["n"]
    return count


def workers() -> list[list[str]]:
    return [["python", "-m", "benchmarks.systems.pgqueuer"]] * 2


if __name__ == "__main__":
    uvloop.run(serve())
