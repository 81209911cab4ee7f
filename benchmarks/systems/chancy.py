"""chancy: two processes, each with up to five hundred jobs at a time in its event loop."""

# /// script
# dependencies = ["chancy==0.26.*", "psycopg[binary]>=3.2"]
# [tool.benchmark]
# name = "chancy"
# settings = [
#     "Queue(concurrency=500, executor=Chancy.Executor.Async, eager_polling=True) in two processes",
#     "Worker.send_outgoing_interval = 0.1 (default: 1 s)",
# ]
# [tool.benchmark.stores]
# postgresql = []
# ///

import asyncio
import logging
import os
from collections.abc import Sequence

from chancy import Chancy, Queue, Worker, job

from benchmarks import mark

url = os.environ["BENCH_URL"]
client: Chancy


def app() -> Chancy:
    return Chancy(url, log=logging.getLogger("chancy"))


@job()
async def work(*, number: int) -> None:
    mark.mark(number)


async def serve() -> None:
    """Be a worker process, as `chancy worker start` is."""
    async with app() as chancy:
        worker = Worker(chancy)
        worker.send_outgoing_interval = 0.1
        await worker.start()
        await worker.wait_for_shutdown()


def prepare() -> None:
    async def prepared() -> None:
        async with app() as chancy:
            await chancy.migrate()
            await chancy.declare(Queue("default", concurrency=500, executor=Chancy.Executor.Async, eager_polling=True))

    global client
    asyncio.run(prepared())
    client = app().__enter__()


def enqueue(number: int) -> None:
    client.sync_push(work.job.with_kwargs(number=number))


def enqueue_many(numbers: Sequence[int]) -> None:
    for _ in client.sync_push_many([work.job.with_kwargs(number=number) for number in numbers]):
        pass


def completed() -> int:
    with client.sync_pool.connection() as connection:
        row = connection.execute("SELECT count(*) FROM chancy_jobs WHERE state = 'succeeded'").fetchone()
    assert row is not None
    count: int = row[0]
    return count


def workers() -> list[list[str]]:
    return [["python", "-m", "benchmarks.systems.chancy"]] * 2


if __name__ == "__main__":
    asyncio.run(serve())
