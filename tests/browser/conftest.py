"""A site with a strict policy, a browser for each process, and tabs of people with different rights.

Without Playwright or a browser these tests are skipped, in one line; where CI=true a browser must be there.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer

from tests.browser import rig, scenery
from tests.browser.rig import Tab

# One test is left to say what is missing.
HERE = Path(__file__).parent
collect_ignore = [path.name for path in HERE.glob("test_*.py") if path.name != "test_rig.py"] if rig.lack() else []

MakeTab = Callable[..., Tab]


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Run one browser for the tests of this folder, and end it with the last: its event loop must not outlive them."""
    if lack := rig.lack():
        pytest.skip(lack)
    patch = pytest.MonkeyPatch()
    # Playwright keeps an event loop on this thread, on which Django would refuse to touch the database.
    patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    try:
        with rig.launched() as started:
            yield started
    finally:
        patch.undo()


@pytest.fixture(scope="package")
def origin(browser: Any, django_db_setup: None) -> Iterator[str]:
    """Serve the site on a port of its own, with its static files and the strict policy."""
    middleware = ["tests.browser.strict.middleware", *settings.MIDDLEWARE]
    with override_settings(MIDDLEWARE=middleware):
        server = LiveServer("127.0.0.1")
        yield server.url
        server.stop()


@pytest.fixture
def make_tab(browser: Any, origin: str, transactional_db: None) -> Iterator[MakeTab]:
    """Return a function that opens a tab for a person: a superuser, or staff with these permissions.

    At the end no tab may have had a problem, unless the test took it from its list.
    """
    opened: list[Tab] = []
    contexts: list[Any] = []

    def make(*permissions: str, **options: Any) -> Tab:
        context = browser.new_context(**{"viewport": rig.WIDE, "reduced_motion": "reduce", **options})
        context.add_cookies([rig.cookie_of(origin, *permissions)])
        contexts.append(context)
        opened.append(Tab(context.new_page(), origin))
        return opened[-1]

    yield make
    for context in contexts:
        context.close()
    problems = [problem for tab in opened for problem in tab.problems]
    assert not problems, "\n".join(problems)


@pytest.fixture
def shop(transactional_db: None) -> None:
    """Fill the queue with a day of a shop."""
    scenery.build()


@pytest.fixture
def tab(make_tab: MakeTab, shop: None) -> Tab:
    """A superuser's tab, on a queue with something of everything in it."""
    return make_tab()
