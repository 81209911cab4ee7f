"""What jobs are called, run and print stays text in a browser: it opens no dialog and loads nothing."""

import pytest
from django.contrib.admin.utils import quote

from tests.admin.pages import make_rows
from tests.admin.test_safety import CORPUS, make_nasty
from tests.browser.conftest import MakeTab

LISTS = ("dashboard/", "job/", "deadjob/", "config/", "supervisor/", "job/requeue/", "supervisor/stop/")


def test_it_stays_text_in_every_list(make_tab: MakeTab):
    make_rows()
    for number, text in enumerate(CORPUS, start=2):
        make_nasty(text, number=number)
    tab = make_tab()

    for path in LISTS:
        tab.open(path)
        assert "alert(1)" in tab.text_of("#content")


@pytest.mark.parametrize("text", CORPUS)
def test_it_stays_text_on_the_pages_of_one(make_tab: MakeTab, text: str):
    make_rows()
    name = quote(make_nasty(text))
    tab = make_tab()

    for path in (
        f"job/{name}/change/",
        f"job/{name}/output/1/",
        f"job/t{name}/change/",
        f"job/p{name}/change/",
        f"deadjob/{name}/settings/",
        f"config/{name}/change/",
        f"config/{name}/resume/",
        "supervisor/2/change/",
    ):
        tab.open(path)
        assert text.replace(" ", "")[:8] in tab.text_of("#content").replace(" ", "")


@pytest.mark.parametrize("text", CORPUS)
def test_it_stays_text_when_it_is_typed(make_tab: MakeTab, text: str):
    make_rows()
    tab = make_tab()

    tab.open("job/")
    tab.find("#searchbar").fill(text)
    tab.find("#searchbar").press("Enter")
    tab.find(".qc-empty").wait_for()
    assert tab.find("#searchbar").input_value() == text

    tab.open("config/mail/change/")
    tab.find("[name=timeout]").fill(text)
    tab.button("Save").click()
    assert tab.find("[name=timeout]").input_value() == text

    tab.open("config/mail/pause/")
    tab.find("[name=reason]").fill(text)
    tab.button("Pause the queue").click()
    assert tab.report() == "Queue mail is paused."
    assert text in tab.text_of("#result_list")
