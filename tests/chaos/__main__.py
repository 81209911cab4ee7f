"""The fault campaign: rounds on one database after another until the time is over. `make chaos` runs it.

Prints a line for each round and a table in the end; exits with 1 if anything was violated, and says how to repeat it.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.chaos import plan, report, rounds, stores
from tests.chaos.rounds import Result

DATABASES = ("sqlite", "postgresql", "mariadb")
VENDORS = {
    "sqlite": "sqlite",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mariadb",
    "mariadb": "mariadb",
}
STORM_SECONDS = 15.0


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    seed = random.randrange(10**6) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="queuectl-chaos-"))
    folder.chmod(0o755)  # servers run under accounts of their own
    results: list[Result] = []
    try:
        for result in _rounds(options, seed, folder):
            results.append(result)
            _tell(result, options, folder)
    except KeyboardInterrupt:
        print("Interrupted.")
    print(f"\n{report.table(results)}")
    if any(result.violations for result in results):
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tell(result: Result, options: argparse.Namespace, folder: Path) -> None:
    print(report.line(result), flush=True)
    if options.results is not None:
        report.append(options.results, result)
    if result.violations:
        print(report.story(result, seconds=options.seconds, folder=folder), flush=True)


def _rounds(options: argparse.Namespace, seed: int, folder: Path) -> Iterator[Result]:
    for name in options.databases:
        if missing := stores.missing(name):
            if os.environ.get("CI") == "true":
                raise SystemExit(f"{missing} is missing here, and CI runs on every database")
            print(f"Not on {name}: this machine lacks {missing}.")
            continue
        store = stores.make(name, folder)
        try:
            yield from _rounds_on(store, options, seed, folder)
        finally:
            store.close()


def _rounds_on(store: stores.Store, options: argparse.Namespace, seed: int, folder: Path) -> Iterator[Result]:
    """Run rounds, each with the next seed, and the themes in turn; at least one."""
    deadline = time.monotonic() + 60 * options.minutes / len(options.databases)
    themes = [options.theme] if options.theme else plan.themes(store.name)
    number = 0
    while number == 0 or time.monotonic() < deadline:
        theme = themes[(seed + number) % len(themes)]
        yield rounds.run(store, seed=seed + number, theme=theme, seconds=options.seconds, folder=folder)
        number += 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="for all databases together")
    parser.add_argument("--seed", type=int, help="of the first round; the others follow. Default: a random one")
    parser.add_argument("--databases", type=_databases, default=_default_databases(), metavar="NAMES")
    parser.add_argument("--theme", choices=plan.THEME_NAMES, help="one kind of rounds alone")
    parser.add_argument("--seconds", type=float, default=STORM_SECONDS, help="how long a storm lasts")
    parser.add_argument("--results", type=Path, metavar="FILE", help="append a line of JSON for each round")
    return parser.parse_args()


def _databases(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(DATABASES):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(DATABASES)}")
    return names


def _default_databases() -> tuple[str, ...]:
    """Return all, or the kind that DATABASE_URL names. The server is always one of the campaign's own."""
    scheme = urlsplit(os.environ.pop("DATABASE_URL", "")).scheme
    return (VENDORS[scheme],) if scheme else DATABASES


if __name__ == "__main__":
    sys.exit(main())
