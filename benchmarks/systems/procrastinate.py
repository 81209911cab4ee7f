"""procrastinate: two processes, each with ten jobs at a time in its event loop."""

# /// script
# dependencies = ["procrastinate==3.10.*", "psycopg[binary]>=3.2"]
# [tool.benchmark]
# name = "procrastinate"
# settings = ["App.run_worker(concurrency=10) in two processes (default: 1)", "LISTEN/NOTIFY (its default)"]
# [tool.benchmark.stores]
# postgresql = []
# ///

import os
from collections.abc import Sequence

from procrastinate import App, PsycopgConnector

from benchmarks import mark

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_URL"]))


@app.task(name="work")
async def work(number: int) -> None:
    mark.mark(number)


def prepare() -> None:
    app.open()
    app.schema_manager.apply_schema()


def enqueue(number: int) -> None:
    work.defer(number=number)


def enqueue_many(numbers: Sequence[int]) -> None:
    work.batch_defer(*({"number": number} for number in numbers))


def completed() -> int:
    statement = "SELECT count(*) AS n FROM procrastinate_jobs WHERE status = 'succeeded'"
    count: int = app.connector.get_sync_connector().execute_query_one(statement)["n"]
    return count


def workers() -> list[list[str]]:
    return [["python", "-m", "benchmarks.systems.procrastinate"]] * 2


if __name__ == "__main__":
    app.run_worker(concurrency=10)
