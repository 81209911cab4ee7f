"""Two queues to move between: the one the tests run on, and one in a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.utils import ConnectionHandler
from django.test.utils import override_settings

from jobs import sqlite_options
from tests.cli.command import Done, queuectl

FILE_ALIAS = "house_in_a_file"


@dataclass(frozen=True, slots=True)
class House:
    """A queue. `url` is what `--from` takes."""

    alias: str
    url: str

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let everything that reads and writes the queue do so here."""
        jobs = {**settings.JOBS, "DATABASE": self.alias}
        with override_settings(JOBS=jobs, DATABASE_ROUTERS=["jobs.router.QueueRouter"]):
            yield

    def run(self, *words: str) -> Done:
        """Run a command with this as the configured queue."""
        with self.inside():
            return queuectl(*words)


CONFIGURED = House("default", "default")


@contextmanager
def house_in(path: Path) -> Iterator[House]:
    """Return the queue in an SQLite file, which is opened until the end."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": sqlite_options.options()}
    connections.settings[FILE_ALIAS] = ConnectionHandler({"default": database}).settings["default"]
    house = House(FILE_ALIAS, f"sqlite:///{path}")
    try:
        yield house
    finally:
        connections[FILE_ALIAS].close()
        del connections[FILE_ALIAS]
        del connections.settings[FILE_ALIAS]


def build(path: Path) -> None:
    """Make the tables of an empty queue in a file."""
    with house_in(path) as house, house.inside():
        call_command("migrate", "jobs", database=house.alias, verbosity=0)
