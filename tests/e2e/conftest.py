"""Sites for tests that use real processes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.site import Site


@pytest.fixture(scope="session")
def initialized_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an empty, migrated database, to be copied."""
    home = tmp_path_factory.mktemp("initialized")
    Site(home).ok("initdb")
    return home


@pytest.fixture
def make_site(initialized_home: Path, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Make a site, with settings from the environment: `make_site(JOBS_LEASE_SECONDS="3")`."""
    made: list[Site] = []

    def make(**environment: str) -> Site:
        home = tmp_path / f"site{len(made)}"
        shutil.copytree(initialized_home, home)
        made.append(Site(home, **environment))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
