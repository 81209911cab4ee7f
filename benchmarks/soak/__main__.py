"""An hour of mixed load on each database, and whether memory, open files and tables stay flat: `make soak MINUTES=60`.

A run of half an hour or more is kept as `results/soak-DATE.json`, and drawn for the documentation, whose table `make
docs` writes. A shorter one is kept beside it as `…-part.json`, which git ignores.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import results, stores
from benchmarks.marks import Inexact
from benchmarks.session import Failed
from benchmarks.soak import judging, sampling, showing
from benchmarks.soak.sampling import Sample
from benchmarks.soak.site import Site

STORES = ("sqlite", "postgresql", "mariadb")
SAMPLE_SECONDS = 10.0


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was started is ended
    scratch = Path(tempfile.mkdtemp(prefix="queuectl-soak-"))
    try:
        found = _run(options, scratch)
    finally:
        shutil.rmtree(scratch)
    is_whole = options.minutes >= judging.SHORTEST_MINUTES
    path = _write(found, is_whole=is_whole)
    if is_whole:
        showing.draw(found)
    is_sound = [_say(store, run) for store, run in found["runs"].items()]
    print(f"\nWritten to {path.relative_to(results.CHECKOUT)}", file=sys.stderr)
    return 0 if all(is_sound) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--minutes", metavar="N", type=float, default=60)
    parser.add_argument("--stores", metavar="NAMES", default=",".join(STORES), help="those at the same time")
    parser.add_argument("--rate", metavar="N", type=float, default=30, help="jobs per second on each")
    return parser.parse_args()


def _run(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    found = results.about(options=vars(options))
    with ExitStack() as stack:
        sites = []
        for name in options.stores.split(","):
            store = stores.KINDS[name](scratch)
            stack.callback(store.close)
            sites.append(stack.enter_context(Site(store, scratch, per_second=options.rate)))
        runs = {site.store.name: _Run(site) for site in sites}
        for run in runs.values():
            run.start()
        _watch(list(runs.values()), seconds=options.minutes * 60)
        found["runs"] = {name: run.finish() for name, run in runs.items()}
    return found


def _watch(runs: "list[_Run]", *, seconds: float) -> None:
    started = time.monotonic()
    rounds = 0
    while (elapsed := time.monotonic() - started) < seconds:
        rounds += 1
        for run in runs:
            run.sample()
        print(f"{elapsed / 60:.0f} min", end="\r", file=sys.stderr, flush=True)
        time.sleep(max(0.0, started + rounds * SAMPLE_SECONDS - time.monotonic()))


class _Run:
    """One site and its samples. What goes wrong with it is kept, and ends none of the others."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._samples: list[Sample] = []
        self._failure: str | None = None
        self._ended: dict[str, Any] = {}

    def start(self) -> None:
        self._guarded(self._site.start)

    def sample(self) -> None:
        self._guarded(lambda: self._samples.append(self._site.sample()))

    def finish(self) -> dict[str, Any]:
        """Return all that was found. `failure` is None where all jobs ran as often as they must."""
        self._guarded(lambda: self._ended.update(self._site.finish()))
        series = {name: [_rounded(value) for value in values] for name, values in sampling.together(self._samples)}
        facts = {"store": self._site.store.facts(), "failure": self._failure}
        return {**facts, **self._ended, "series": series}

    def _guarded(self, step: Callable[[], object]) -> None:
        if self._failure is not None:
            return
        try:
            step()
        except (Failed, Inexact, OSError) as error:
            self._failure = str(error)
            print(f"{self._site.store.name}: {error}", file=sys.stderr, flush=True)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}") if value < 1_000 else round(value)


def _write(found: dict[str, Any], *, is_whole: bool) -> Path:
    minute = found["date"][:16].replace(":", "")
    path = results.DIRECTORY / (f"soak-{minute[:10]}.json" if is_whole else f"soak-{minute}-part.json")
    path.write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _say(store: str, run: dict[str, Any]) -> bool:
    """Print what a run says; return whether all is as it should be."""
    print(f"\n{store}: {run['failure'] or 'each job ran as often as it must'}; trouble: {run.get('trouble')}")
    print({name: value for name, value in run.items() if name in ("jobs", "runs", "completed", "commands_typed")})
    found = judging.verdicts(run["series"])
    for verdict in found:
        what = f"{'flat ' if verdict.is_flat else 'GROWS'} {verdict.limit.what:45} {verdict.limit.unit:3}"
        print(f"{what} mean {verdict.mean:10.1f} most {verdict.most:10.1f} rise {verdict.rise:+8.2f}")
    return run["failure"] is None and not run["trouble"] and all(verdict.is_flat for verdict in found)


if __name__ == "__main__":
    sys.exit(main())
