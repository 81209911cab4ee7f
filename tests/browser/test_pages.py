"""Every page, as a browser sees it: no complaint, no barrier, room on a phone, light and dark."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command

from tests.browser import rig, scenery
from tests.browser.conftest import MakeTab
from tests.browser.scenery import PAGES


@pytest.fixture(scope="module")
def standing_shop(browser: Any, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Fill the queue once: these tests only look."""
    with django_db_blocker.unblock():
        scenery.build()
        yield
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def transactional_db(standing_shop: None) -> None:
    """Take the place of the fixture that empties the database after each test."""


each_page = pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)


@each_page
def test_it_opens_without_a_complaint_and_keeps_nobody_out(make_tab: MakeTab, path: str):
    tab = make_tab()

    tab.open(path)
    assert tab.barriers() == []

    tab.be_dark()
    assert tab.barriers() == []


@each_page
def test_it_fits_a_phone(make_tab: MakeTab, path: str):
    tab = make_tab(viewport=rig.NARROW)

    tab.open(path)

    assert not tab.has_scrollbar()
