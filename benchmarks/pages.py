"""How long each page of the admin takes with a million jobs, and with none: `python -m benchmarks.pages`.

A quarter of the jobs each is pending, scheduled, completed and dead, and the counters tell of a busy week in two
queues. Asked by Django's test client, so without a network and a browser: the time the server takes, the best of
several. Printed as Markdown.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks import catalogue, growth, stores
from benchmarks.program import OURS
from benchmarks.session import Session


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rows", metavar="N", type=int, default=1_000_000)
    parser.add_argument("--stores", metavar="NAMES", default="sqlite,postgresql,mariadb")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="queuectl-pages-") as scratch:
        columns = dict(_columns(options.stores.split(","), options.rows, Path(scratch)))
    print(f"| page, in ms | {' | '.join(columns)} |")
    print(f"| --- |{' --- |' * len(columns)}")
    for name in next(iter(columns.values())):
        print(f"| {name} | {' | '.join(f'{column[name]:.0f}' for column in columns.values())} |")


def _columns(names: list[str], rows: int, scratch: Path) -> Iterator[tuple[str, growth.Figures]]:
    system = next(system for system in catalogue.systems() if system.name == OURS)
    environment = growth.ENVIRONMENT | {"QUEUECTL_HOME": str(scratch / "home")}
    for name in names:
        store = stores.KINDS[name](scratch)
        for number, count in enumerate((0, rows)):
            with ExitStack() as stack:
                place = Session(system, store, scratch, place=f"_{number}", environment=environment)
                session = stack.enter_context(place)
                session.ask("call", module="benchmarks.browsing", function="fill", rows=count)
                store.settle(session.url)
                yield f"{name}, {count:,} jobs", session.ask("call", module="benchmarks.browsing", function="times")
                print(f"{name} with {count:,} jobs is done", file=sys.stderr)


if __name__ == "__main__":
    main()
