"""What every test may use: sites for tests of real processes. Other fixtures live beside their part's tests."""

import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from pytest_django.plugin import blocking_manager_key

from tests.e2e.databases import CONFIGURED, Database, SQLite
from tests.e2e.site import Site

MakeSite = Callable[..., Site]


def pytest_configure(config: pytest.Config) -> None:
    """Refuse in one line to test on a server that is not there, which would fail every test by itself."""
    # A shell has what it starts in the background ignore this, and what that starts, too; tests interrupt processes.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput") or CONFIGURED is SQLite:
        return
    try:
        with (
            config.stash[blocking_manager_key].unblock(),
            warnings.catch_warnings(action="ignore"),
            connection._nodb_cursor(),
        ):
            pass
    except (Error, ImproperlyConfigured) as error:
        raise pytest.UsageError(f"DATABASE_URL: no such server: {' '.join(str(error).split())}") from None


class Workshop:
    """Makes sites on one kind of database, as copies of one that was initialised."""

    def __init__(self, kind: type[Database], directory: Path) -> None:
        self._kind = kind
        self._directory = directory
        self._made = 0
        self._template: Site | None = None

    def make(self, **environment: str) -> Site:
        """Make a site with tables in its database."""
        if self._template is None:
            self._template = self.make_empty()
            self._template.ok("initdb")
        site = self._unmade(**environment)
        site.database.copy(self._template.database)
        return site

    def make_empty(self, **environment: str) -> Site:
        """Make a site whose database has no tables."""
        site = self._unmade(**environment)
        site.database.create()
        return site

    def _unmade(self, **environment: str) -> Site:
        self._made += 1
        home = self._directory / f"site{self._made}"
        home.mkdir()
        return Site(home, self._kind(number=self._made, home=home), **environment)

    def close(self) -> None:
        if self._template is not None:
            self._template.close()


def _workshop(kind: type[Database], factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    workshop = Workshop(kind, factory.mktemp(kind.__name__.lower()))
    yield workshop
    workshop.close()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    yield from _workshop(CONFIGURED, tmp_path_factory)


@pytest.fixture(scope="session")
def sqlite_workshop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    if CONFIGURED is SQLite:
        yield request.getfixturevalue("workshop")
    else:
        yield from _workshop(SQLite, tmp_path_factory)


def _closing(make: MakeSite) -> Iterator[MakeSite]:
    made: list[Site] = []

    def remember(**environment: str) -> Site:
        made.append(make(**environment))
        return made[-1]

    yield remember
    for site in made:
        site.close()


@pytest.fixture
def make_site(workshop: Workshop) -> Iterator[MakeSite]:
    """Make a site, with settings from the environment: `make_site(JOBS_LEASE_SECONDS="3")`."""
    yield from _closing(workshop.make)


@pytest.fixture
def make_empty_site(workshop: Workshop) -> Iterator[MakeSite]:
    """Make a site whose database has no tables."""
    yield from _closing(workshop.make_empty)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()


@pytest.fixture
def empty_site(make_empty_site: MakeSite) -> Site:
    return make_empty_site()


@pytest.fixture
def make_sqlite_site(sqlite_workshop: Workshop) -> Iterator[MakeSite]:
    """Make a site on SQLite whatever the tests run on, for what only SQLite has: a file, and one write lock."""
    yield from _closing(sqlite_workshop.make)


@pytest.fixture
def sqlite_site(make_sqlite_site: MakeSite) -> Site:
    return make_sqlite_site()
