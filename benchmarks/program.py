"""The order of a run. Systems alternate within each round, raw limits among them; a figure is the median of the rounds.

A system that did not run every job exactly once has no figure for what was measured; the reason is kept instead. What
is not on this machine is skipped, with one line.
"""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import backlog, catalogue, growth, raw, shell, stores, venvs, waiting
from benchmarks.catalogue import System
from benchmarks.marks import Inexact
from benchmarks.results import Key, Results
from benchmarks.session import Failed, Session
from benchmarks.stores import Store

MEASURES = ("raw", "drain", "waiting", "shell", "growth")
OURS = "queuectl"
LOCK_VARIABLE = "BENCH_LOCK"  # a file to lock during each measurement, where several people share a machine
Pair = tuple[System, Store]
Figures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to run."""

    only: tuple[str, ...]
    systems: tuple[str, ...]
    stores: tuple[str, ...]
    rounds: int
    rows: tuple[int, ...]
    waiting: waiting.Size


class Program:
    """One run; what it finds goes to `found`."""

    def __init__(self, options: Options, found: Results, scratch: Path, stack: ExitStack) -> None:
        self._options = options
        self._found = found
        self._scratch = scratch
        self._rates: dict[Key, float] = {}
        self._stores = dict(self._available(stack))
        self._pairs = list(self._ready())

    def run(self) -> None:
        rounds = range(self._options.rounds)
        if "drain" in self._options.only:
            self._try_out()
        for _ in rounds:
            if "raw" in self._options.only:
                self._raw()
            if "drain" in self._options.only:
                self._drain()
            if "shell" in self._options.only:
                self._shell()
        if "waiting" in self._options.only:
            self._waiting()
        if "growth" in self._options.only:
            self._growth()

    def _raw(self) -> None:
        for store in self._stores.values():
            if store.name not in raw.DRIVERS:
                continue
            with _locked():
                figures = raw.measure(store)
            for (measure, batch), value in figures.items():
                self._found.add(Key(measure, raw.NAME, store.name, batch), value)
            _say(f"the bare driver on {store.name}", {f"{name} × {batch}": n for (name, batch), n in figures.items()})

    def _try_out(self) -> None:
        """Learn how fast each is, so that each can be given as many jobs as take it the same time."""
        for pair in self._pairs:
            key = _key("drain", pair)
            figures = self._in_session(key, pair, partial(backlog.measure, count=backlog.FIRST_DRAIN))
            self._rates[key] = figures.get("drain", 0)

    def _drain(self) -> None:
        for pair in self._pairs:
            key = _key("drain", pair)
            count = backlog.jobs_for(self._rates[key])
            self._keep(pair, self._in_session(key, pair, partial(backlog.measure, count=count)))

    def _waiting(self) -> None:
        size = self._options.waiting
        for pair in self._pairs:
            figures = self._in_session(_key("waiting", pair), pair, partial(waiting.measure, size=size))
            self._keep(pair, figures)

    def _shell(self) -> None:
        for name, (_, settings) in shell.PROGRAMS.items():
            key = Key("shell", name, "")
            figures = self._guarded(key, partial(shell.of_program, name, self._scratch))
            if figures:
                self._found.systems.setdefault(name, {"version": "", "settings": [settings]})
                self._found.add(key, figures["shell"])
        for system, store in self._own():
            key = _key("shell", (system, store))
            figures = self._guarded(key, partial(shell.of_queue, system, store, self._scratch))
            self._keep((system, store), figures)

    def _growth(self) -> None:
        options = self._options
        for system, store in self._own():
            try:
                with _locked():
                    for case, figures in growth.measure(
                        system, store, self._scratch, rows=options.rows, rounds=options.rounds
                    ):
                        for measure, value in figures.items():
                            self._found.add(Key(measure, system.name, store.name, case), value)
                        _say(f"{system.name} on {store.name}, {case}", figures)
            except Failed as error:
                self._refuse(Key("growth", system.name, store.name), error)

    def _in_session(self, key: Key, pair: Pair, measure: Callable[[Session], Figures]) -> Figures:
        def measured() -> Figures:
            with Session(*pair, self._scratch) as session:
                return measure(session)

        return self._guarded(key, measured)

    def _guarded(self, key: Key, measure: Callable[[], Figures]) -> Figures:
        """Return figures, or nothing and keep the reason. What was refused once is not tried again."""
        if key in self._found.refused:
            return {}
        try:
            with _locked():
                figures = measure()
        except (Failed, Inexact, shell.Absent) as error:
            self._refuse(key, error)
            return {}
        _say(f"{key.system} on {key.store}" if key.store else key.system, figures)
        return figures

    def _keep(self, pair: Pair, figures: Figures) -> None:
        for measure, value in figures.items():
            self._found.add(_key(measure, pair), value)

    def _refuse(self, key: Key, reason: Exception) -> None:
        self._found.refuse(key, str(reason))
        where = f" on {key.store}" if key.store else ""
        print(f"{key.system}{where}: no figure for {key.measure}: {reason}", file=sys.stderr, flush=True)

    def _own(self) -> Iterator[Pair]:
        return ((system, store) for system, store in self._pairs if system.name == OURS)

    def _available(self, stack: ExitStack) -> Iterator[tuple[str, Store]]:
        for name in self._options.stores:
            try:
                store = stores.KINDS[name](self._scratch)
            except stores.Absent as reason:
                print(f"Skipped: {reason}", file=sys.stderr)
                continue
            stack.callback(store.close)
            self._found.stores[name] = store.facts()
            yield name, store

    def _ready(self) -> Iterator[Pair]:
        for system in catalogue.systems():
            if system.name not in self._options.systems:
                continue
            for store in (self._stores[name] for name in system.stores if name in self._stores):
                try:
                    venvs.ready(system, store.name)
                except venvs.CannotInstall as reason:
                    print(f"Skipped: {system.name} on {store.name}: {reason}", file=sys.stderr)
                    continue
                self._found.systems[system.name] = {
                    "version": venvs.version(system),
                    "settings": list(system.settings),
                }
                yield system, store


@contextmanager
def _locked() -> Iterator[None]:
    if LOCK_VARIABLE not in os.environ:
        yield
        return
    with Path(os.environ[LOCK_VARIABLE]).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key(measure: str, pair: Pair) -> Key:
    system, store = pair
    return Key(measure, system.name, store.name)


def _say(what: str, figures: "dict[str, float] | growth.Figures") -> None:
    shown = ", ".join(f"{name} {value:,.4g}" for name, value in figures.items())
    print(f"{what}: {shown}", file=sys.stderr, flush=True)
