"""oban for Python: two processes, each with up to a hundred jobs at a time in its event loop."""

# /// script
# dependencies = ["oban==0.7.*"]
# [tool.benchmark]
# name = "oban"
# settings = ["Oban(queues={'default': 100}) in two processes, uvloop"]
# [tool.benchmark.stores]
# postgresql = []
# ///

import asyncio
import os
import signal
from collections.abc import Sequence

import uvloop
from oban import Oban, schema, worker
from oban.job import Job
from psycopg_pool import AsyncConnectionPool

from benchmarks import mark

url = os.environ["BENCH_URL"]
loop = uvloop.new_event_loop()
pool: AsyncConnectionPool
client: Oban


@worker()
class Work:
    async def process(self, job: Job) -> None:
        mark.mark(job.args["number"])


async def serve() -> None:
    """Be a worker process, as `oban start` is."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    connections = await Oban.create_pool(url)
    async with Oban(pool=connections, queues={"default": 100}):
        await stopping.wait()
    await connections.close()


def prepare() -> None:
    async def prepared() -> None:
        global client, pool
        pool = await Oban.create_pool(url)
        await schema.install(pool)
        client = Oban(pool=pool)

    loop.run_until_complete(prepared())


def enqueue(number: int) -> None:
    loop.run_until_complete(client.enqueue(_job(number)))


def enqueue_many(numbers: Sequence[int]) -> None:
    loop.run_until_complete(client.enqueue_many([_job(number) for number in numbers]))


def completed() -> int:
    async def counted() -> int:
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM oban_jobs WHERE state = 'completed'")
            row = await cursor.fetchone()
        assert row is not None
        count: int = row[0]
        return count

    return loop.run_until_complete(counted())


def workers() -> list[list[str]]:
    return [["python", "-m", "benchmarks.systems.oban"]] * 2


def _job(number: int) -> Job:
    return Job("benchmarks.systems.oban.Work", args={"number": number})


if __name__ == "__main__":
    uvloop.run(serve())
