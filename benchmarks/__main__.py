"""The benchmarks: `make bench`, or `python -m benchmarks --help`.

A run of everything is kept as `results/DATE.json`, with its plots in the documentation, whose tables `make docs` writes
from it. A run of a part, or a quick one, is kept beside it as `results/…-part.json`, which git ignores.
"""

import argparse
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks import catalogue, plots, results, stores, tables, waiting
from benchmarks.program import MEASURES, Options, Program
from benchmarks.results import Results


def main() -> None:
    options, is_whole = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    found = Results(about=results.about(options=asdict(options)))
    scratch = Path(tempfile.mkdtemp(prefix="queuectl-bench-"))
    try:
        with ExitStack() as stack:
            Program(options, found, scratch, stack).run()
    except KeyboardInterrupt:
        is_whole = False  # what was found until then is kept
    finally:
        shutil.rmtree(scratch)
    path = results.write(found, is_whole=is_whole)
    if is_whole:
        plots.write(found)
    print(tables.page(found))
    print(f"\nWritten to {path.relative_to(results.CHECKOUT)}", file=sys.stderr)


def _options() -> tuple[Options, bool]:
    """Return what to run, and whether that is everything."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=…", description=str(__doc__).partition("\n")[0])
    systems = [system.name for system in catalogue.systems()]
    parser.add_argument("--only", metavar="MEASURES", help=f"of {','.join(MEASURES)}")
    parser.add_argument("--systems", metavar="NAMES", help=f"of {','.join(systems)}")
    parser.add_argument("--stores", metavar="NAMES", help=f"of {','.join(stores.KINDS)}")
    parser.add_argument("--rounds", metavar="N", type=int, default=3)
    parser.add_argument("--rows", metavar="N", default="100000,1000000", help="other jobs in the table, for growth")
    parser.add_argument("--quick", action="store_true", help="one round, few samples: to see that it works")
    given = parser.parse_args()
    options = Options(
        only=_chosen(parser, given.only, MEASURES),
        systems=_chosen(parser, given.systems, systems),
        stores=_chosen(parser, given.stores, list(stores.KINDS)),
        rounds=1 if given.quick else given.rounds,
        rows=(10_000,) if given.quick else tuple(map(int, given.rows.split(","))),
        waiting=waiting.QUICK if given.quick else waiting.Size(),
    )
    return options, not (given.quick or given.only or given.systems or given.stores)


def _chosen(parser: argparse.ArgumentParser, text: str | None, known: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    chosen = tuple(text.split(",")) if text else tuple(known)
    if unknown := set(chosen) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    return chosen


if __name__ == "__main__":
    main()
