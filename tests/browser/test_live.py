"""Pages that keep themselves up to date: what they renew, what they leave alone, when they rest, and how they end.

The browser's clock is turned by the tests; the site and its answers are real.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from jobs import new_job, queue
from jobs.models import Attempt, Job
from jobs.states import State
from tests.browser.conftest import MakeTab
from tests.browser.rig import Tab
from tests.browser.scenery import PAGES
from tests.e2e.databases import SERVER_URL, SQLite
from tests.e2e.site import Site
from tests.factories import make_job

DASHBOARD_SECONDS = 5
JOB_SECONDS = 2
TILE = ".qc-tile-pending .qc-tile-value"


class Shared(SQLite):
    """The database that this test and its server use; a supervisor joins them."""

    def __init__(self) -> None:
        name = str(connection.settings_dict["NAME"])
        is_file = connection.vendor == "sqlite"
        self.url = f"sqlite:///{name}" if is_file else urlsplit(SERVER_URL)._replace(path=f"/{name}").geturl()


@pytest.fixture
def workers(transactional_db: None, tmp_path: Path) -> Iterator[Site]:
    """Workers for the queue that the browser looks at."""
    site = Site(tmp_path, Shared(), SECRET_KEY=str(settings.SECRET_KEY))
    yield site
    site.close()


@pytest.fixture
def tab(make_tab: MakeTab, shop: None) -> Tab:
    """A tab whose clock stands still until it is turned."""
    tab = make_tab()
    tab.page.clock.install()
    return tab


def pass_time(tab: Tab, seconds: float, *, readings: int = 1) -> None:
    """Turn the browser's clock, and wait for the site to answer what it asks meanwhile."""
    before = len(tab.reading())
    tab.page.clock.fast_forward(round(seconds * 1000))
    while len(tab.answers) < before + readings:
        tab.page.wait_for_timeout(10)
    tab.page.wait_for_timeout(50)  # for one more, which there must not be
    assert len(tab.reading()) == before + readings


def test_the_dashboard_shows_what_happened_since(tab: Tab):
    tab.open(PAGES["dashboard"])
    assert tab.text_of(TILE) == "14"
    make_job(id="new", run_at=timezone.now())

    pass_time(tab, DASHBOARD_SECONDS)

    tab.wait_for_text(TILE, "15")


def test_it_leaves_alone_what_someone_is_in_the_middle_of(tab: Tab):
    tab.open(PAGES["dashboard"])
    tab.find("[data-qc-region=table-throughput] summary").click()
    tab.link("Pause mail").focus()
    make_job(id="new", run_at=timezone.now(), queue="mail")

    pass_time(tab, DASHBOARD_SECONDS)

    tab.wait_for_text(TILE, "15")
    assert tab.find("[data-qc-region=table-throughput]").get_attribute("open") is not None
    assert tab.page.evaluate("document.activeElement.textContent") == "Pause mail"
    assert tab.find("[data-qc-region=table-throughput] td").first.is_visible()


def test_what_was_left_alone_is_renewed_when_it_is_free_again(tab: Tab):
    tab.open(PAGES["dashboard"])
    tab.link("Pause mail").focus()
    make_job(id="new", run_at=timezone.now(), queue="mail")
    waiting = "[data-qc-region=queues] tbody tr:has-text('mail') td"
    pass_time(tab, DASHBOARD_SECONDS)
    assert tab.text_of(waiting) == "0"

    tab.find(".qc-windows a").first.focus()
    pass_time(tab, DASHBOARD_SECONDS)

    tab.wait_for_text(waiting, "1")


def test_ticked_boxes_are_kept_because_lists_do_not_change_by_themselves(tab: Tab):
    tab.open(PAGES["jobs"])
    tab.find("#result_list input[value=sitemap]").check()

    pass_time(tab, 600, readings=0)

    assert tab.find("#result_list input[value=sitemap]").is_checked()


def test_it_can_be_paused(tab: Tab):
    tab.open(PAGES["dashboard"])

    tab.button("Pause updates").click()
    pass_time(tab, 600, readings=0)
    tab.button("Resume updates").click()
    pass_time(tab, 0.1)

    assert tab.button("Pause updates").is_visible()


def test_it_does_not_read_while_nobody_can_see_it(tab: Tab):
    tab.open(PAGES["dashboard"])

    tab.page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    for _ in range(4):
        pass_time(tab, DASHBOARD_SECONDS, readings=0)
    tab.page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")

    pass_time(tab, 0.1)


def test_it_reads_less_often_when_nobody_uses_it(tab: Tab):
    tab.open(PAGES["dashboard"])

    pass_time(tab, 301)
    pass_time(tab, DASHBOARD_SECONDS * 11, readings=0)
    pass_time(tab, DASHBOARD_SECONDS * 2)
    tab.page.keyboard.press("Shift")
    pass_time(tab, DASHBOARD_SECONDS * 12)
    pass_time(tab, DASHBOARD_SECONDS)


def test_it_stops_politely_when_the_person_was_logged_out(tab: Tab):
    tab.open(PAGES["dashboard"])

    tab.page.context.clear_cookies()
    pass_time(tab, DASHBOARD_SECONDS, readings=2)  # the dashboard leads to the log-in
    tab.wait_for_text(".qc-as-of", "No updates: reload the page.")

    assert tab.text_of(TILE) == "14"
    pass_time(tab, 600, readings=0)


def test_it_goes_on_when_the_site_was_away_for_a_moment(tab: Tab):
    tab.open(PAGES["dashboard"])

    tab.page.route("**/dashboard/", lambda route: route.abort())
    with tab.page.expect_event("requestfailed"):
        tab.page.clock.fast_forward(DASHBOARD_SECONDS * 1000)
    tab.page.wait_for_timeout(50)
    tab.page.unroute("**/dashboard/")
    tab.problems.clear()  # the browser reports the failed request
    make_job(id="new", run_at=timezone.now())
    tab.page.clock.fast_forward(2 * DASHBOARD_SECONDS * 1000)

    tab.wait_for_text(TILE, "15")


def test_the_output_of_a_running_job_grows_where_someone_reads_it(tab: Tab):
    tab.page.set_viewport_size({"width": 1280, "height": 600})
    lines = "".join(f"line {number}\n" for number in range(200))
    Attempt.objects.filter(job="backup-2026-11-24").update(output_head=lines)
    tab.open(PAGES["job-running"])
    output: Any = tab.find(".qc-output")
    output.evaluate("text => { text.scrollTop = 40; window.before = text; }")
    Attempt.objects.filter(job="backup-2026-11-24").update(output_head=f"{lines}the newest line\n")

    pass_time(tab, JOB_SECONDS)

    tab.wait_for_text(".qc-output", "the newest line")
    assert output.evaluate("text => text === window.before && text.scrollTop") == 40


def test_a_page_of_a_job_ends_its_updates_with_the_job(make_tab: MakeTab, workers: Site):
    tab = make_tab()
    gate = workers.home / "gate"
    command = f"echo begun; while [ ! -e {gate} ]; do sleep 0.05; done; echo done; [ -n '' ] || exit 0"
    job = new_job.from_fields({"id": "real", "command": command}, now=timezone.now())
    queue.enqueue(job, now=timezone.now())
    tab.open("job/real/change/")
    assert tab.text_of(".qc-head .qc-badge").endswith("pending")

    workers.start()
    tab.wait_for_text(".qc-head .qc-badge", "processing")
    tab.wait_for_text(".qc-output", "begun")
    assert "so far" in tab.text_of("[data-qc-region=output] h2")
    gate.touch()

    tab.wait_for_text(".qc-head .qc-badge", "completed")
    tab.wait_for_text(".qc-output", "done")
    assert tab.find(".qc-controls button").count() == 0
    assert Job.objects.get(pk="real").state == State.COMPLETED
