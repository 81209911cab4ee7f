"""Every page, as a browser sees it: no complaint, no barrier, room on a phone, light and dark."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

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
    assert tab.barriers("color-contrast") == []


@each_page
def test_it_fits_a_phone(make_tab: MakeTab, path: str):
    tab = make_tab(viewport=rig.NARROW)

    tab.open(path)

    assert tab.too_wide("html") == []
    assert tab.barriers("scrollable-region-focusable", "target-size", "meta-viewport", "css-orientation-lock") == []


@pytest.mark.parametrize("name", ["jobs", "jobs-filtered", "dead-letters"])
def test_its_jobs_are_cards_on_a_phone_that_need_no_scrolling_sideways(make_tab: MakeTab, name: str):
    tab = make_tab(viewport=rig.NARROW)

    tab.open(PAGES[name])

    assert tab.too_wide(".results") == []
    assert tab.find("#result_list tr .qc-badge").first.is_visible()


@pytest.mark.parametrize("name", ["jobs", "dead-letters", "workers", "config", "dashboard", "job-dead", "supervisor"])
def test_its_tables_fit_beside_the_menu_on_a_small_desk(make_tab: MakeTab, name: str):
    tab = make_tab()

    tab.open(PAGES[name])

    assert tab.find("#nav-sidebar").is_visible()
    assert tab.too_wide(".results, .qc-scroll") == []


@pytest.mark.parametrize("name", ["dashboard", "jobs", "job-dead", "config-queue"])
def test_it_is_mirrored_where_people_write_from_the_right(make_tab: MakeTab, name: str):
    tab = make_tab()

    with override_settings(LANGUAGE_CODE="ar"):
        tab.open(PAGES[name])

    assert tab.page.evaluate("getComputedStyle(document.querySelector('.qc, #content')).direction") == "rtl"
    assert tab.too_wide("html, .results") == []
    # Code is not prose: it begins at the left in every language.
    assert tab.page.evaluate(
        "[...document.querySelectorAll('.qc-code, pre')].every(one => getComputedStyle(one).direction === 'ltr')"
    )


def test_it_is_light_or_dark_as_the_system_says_and_as_the_person_says(make_tab: MakeTab):
    tab = make_tab()
    tab.open(PAGES["dashboard"])
    assert tab.brightness(".qc-panel") > 200

    tab.be_dark()
    assert tab.brightness(".qc-panel") < 60

    tab.find(".theme-toggle").first.click()  # the first of Django's choices is the opposite of the system's
    assert tab.find("html").get_attribute("data-theme") == "light"
    assert tab.brightness(".qc-panel") > 200
    assert tab.brightness(".qc-health") > 200
    assert tab.barriers() == []


def test_it_is_dark_where_the_person_says_so_and_the_system_does_not(make_tab: MakeTab):
    tab = make_tab()
    tab.open(PAGES["dashboard"])

    tab.find(".theme-toggle").first.click()

    assert tab.find("html").get_attribute("data-theme") == "dark"
    assert tab.brightness(".qc-panel") < 60
    assert tab.brightness(".qc-health") < 60
    assert tab.barriers() == []


@each_page
def test_it_can_be_read_without_javascript(make_tab: MakeTab, path: str):
    tab = make_tab(java_script_enabled=False)

    tab.open(path)

    assert tab.find("#content h1, .qc-title").first.is_visible()
    assert tab.find("[data-qc-pause] button:text('Pause updates')").count() == 0
