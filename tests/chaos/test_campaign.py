"""A short campaign: `make chaos` runs as many rounds as there is time for, on every database."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.chaos import arena as arenas
from tests.chaos import plan, report, rounds, stores
from tests.waiting import wait_until

STORM_SECONDS = 5.0
NAMES = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that servers, which have accounts of their own, can reach."""
    with tempfile.TemporaryDirectory(prefix="queuectl-chaos-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def store(folder: Path) -> Iterator[stores.Store]:
    name = NAMES[connection.vendor]
    if missing := stores.missing(name):
        pytest.skip(f"not tested: this machine lacks {missing}")
    store = stores.make(name, folder)
    yield store
    store.close()


def test_a_family_that_stands_still_is_found_when_its_supervisor_is_gone(store: stores.Store, folder: Path):
    arena = arenas.build(store, theme="processes", folder=folder)
    try:
        arena.gather()
        wait_until(lambda: arena.is_complete)
        launcher, pid = arena.members[0].launcher, arena.members[0].pid
        assert pid is not None
        family = launcher.strike(pid, signal.SIGSTOP, role="family")
        launcher.strike(pid, signal.SIGKILL)
        launcher.wait(pid, seconds=5)
        wait_until(lambda: set(family) & set(launcher.left()) == set(family) - {pid})

        arena.thaw()

        wait_until(lambda: not set(family) & set(launcher.left()))
    finally:
        arena.close()


@pytest.mark.parametrize("theme", ["processes", plan.SWEEP])
def test_nothing_is_lost_and_nothing_runs_twice(theme: str, store: stores.Store, folder: Path):
    result = rounds.run(store, seed=1, theme=theme, seconds=STORM_SECONDS, folder=folder)
    assert not result.violations, report.story(result, seconds=STORM_SECONDS, folder=folder)
    assert result.acknowledged
    assert sum(result.kills.values()) > 10
