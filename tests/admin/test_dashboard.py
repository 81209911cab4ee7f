"""The dashboard: what it shows, to whom, and where it leads."""

import re
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from jobs import histogram
from jobs.models import DEPTH_MAX, Config, Counter, Depth
from jobs.states import State
from tests.admin.conftest import Login
from tests.admin.pages import get, make_rows, text_of
from tests.factories import make_job, make_supervisor

pytestmark = pytest.mark.django_db

PATH = "dashboard/"
CHART = '<svg class="qc-chart"'


def make_minute(
    minute: datetime, *, completed: int = 0, failed: int = 0, dead: int = 0, queue: str = "default"
) -> None:
    runs = histogram.empty()
    for _ in range(completed + failed + dead):
        histogram.add(runs, 0.4)
    Counter.objects.create(
        minute=minute.replace(second=0, microsecond=0),
        queue=queue,
        writer=1,
        enqueued=completed,
        completed=completed,
        failed=failed,
        dead=dead,
        run_histogram=runs,
        wait_histogram=runs,
    )


def tile(html: str, name: str) -> str:
    found = re.search(rf'qc-tile-{name}">.*?</li>', html)
    assert found is not None
    return found[0]


def region(html: str, name: str) -> str:
    return html.split(f'data-qc-region="{name}"')[1].split("</section>", maxsplit=1)[0]


def test_its_tiles_count_and_lead_to_what_they_count(superuser: Client):
    for number in range(3):
        make_job(id=f"p{number}")
    make_job(id="d", state=State.DEAD)
    make_job(id="f", state=State.FAILED)
    make_minute(timezone.now(), completed=1_234)
    make_minute(timezone.now() - timedelta(days=2), completed=9)

    html = text_of(get(superuser, PATH))

    assert ">3<" in tile(html, "pending")
    assert "/admin/jobs/job/?state=pending" in tile(html, "pending")
    assert ">1<" in tile(html, "dead")
    assert "/admin/jobs/deadjob/" in tile(html, "dead")
    assert ">1<" in tile(html, "failed")
    assert "1,234" in tile(html, "completed")


def test_its_banner_names_the_cause_and_the_command_that_helps(superuser: Client):
    make_job(id="p", run_at=timezone.now() - timedelta(hours=1))

    html = region(text_of(get(superuser, PATH)), "health")

    assert "Stalled" in html
    assert "1 job waits" in html
    assert "queuectl worker start" in html


def test_its_banner_says_when_all_is_well(superuser: Client):
    make_supervisor(heartbeat_at=timezone.now())

    html = text_of(get(superuser, PATH))

    assert 'qc-verdict-idle"' in html
    assert "alive" in region(html, "workers")


def test_its_charts_tell_what_happened_as_a_drawing_and_as_a_table(superuser: Client):
    make_minute(timezone.now() - timedelta(minutes=10), completed=40, failed=2, dead=1)

    html = text_of(get(superuser, PATH))

    assert html.count(CHART) == 3  # nobody noted the depth
    for name in ("completed", "failed", "dead"):
        assert f'<rect class="qc-mark-{name}"' in html
    assert '<polyline class="qc-line-p95"' in html
    assert re.search(r">40</td>.*>2</td>.*>1</td>", html, re.DOTALL)


def test_its_charts_tell_how_many_jobs_waited_and_ran(superuser: Client):
    minute = timezone.now().replace(second=0, microsecond=0)
    Depth.objects.create(minute=minute - timedelta(minutes=8), pending=DEPTH_MAX, processing=7)
    Depth.objects.create(minute=minute - timedelta(minutes=2), pending=314, processing=0)

    html = region(text_of(get(superuser, f"{PATH}?window=15m")), "chart-depth")

    assert html.count('<polyline class="qc-line-pending"') == 2  # between them nobody looked
    assert ">10,000+</td>" in html  # in the table: counted no further
    assert ">314</td>" in html


def test_its_charts_tell_that_nothing_waited(superuser: Client):
    Depth.objects.create(minute=timezone.now().replace(second=0, microsecond=0), pending=0, processing=0)

    assert '<polyline class="qc-line-pending"' in region(text_of(get(superuser, PATH)), "chart-depth")


@pytest.mark.parametrize(("window", "is_shown"), [("15m", False), ("1h", False), ("24h", True), ("7d", True)])
def test_its_charts_look_back_as_far_as_one_chooses(superuser: Client, window: str, is_shown: bool):
    make_minute(timezone.now() - timedelta(hours=3), completed=77)

    html = text_of(get(superuser, f"{PATH}?window={window}"))

    assert (CHART in html) is is_shown
    assert f'href="?window={window}" aria-current="true"' in html


def test_it_shows_the_usual_window_for_one_that_does_not_exist(superuser: Client):
    assert 'href="?window=1h" aria-current="true"' in text_of(get(superuser, f"{PATH}?window=%22><script>"))


def test_it_says_what_to_do_where_nothing_is(superuser: Client):
    html = text_of(get(superuser, PATH))

    assert "queuectl enqueue" in region(html, "queues")
    assert "queuectl worker start" in region(html, "workers")
    assert "Nothing happened in this time." in html
    assert CHART not in html


def test_its_queues_tell_rate_failures_and_pause(superuser: Client):
    make_minute(timezone.now(), completed=6, failed=1, dead=1, queue="mail")
    Config.objects.create(queue="print", paused_at=timezone.now(), paused_reason="no paper")

    html = region(text_of(get(superuser, PATH)), "queues")

    assert "25%" in html
    assert "no paper" in html
    assert "/admin/jobs/config/print/resume/" in html
    assert "/admin/jobs/config/mail/pause/" in html


def test_it_leads_nowhere_a_person_may_not_go(login: Login):
    make_rows()

    html = text_of(get(login("view_dashboard"), PATH))
    content = html.split('class="qc-live"')[1]

    assert "/admin/jobs/" not in content
    for secret in ("dead1", "exit code 1", "host1", "running1"):
        assert secret not in content


def test_it_leads_to_what_a_person_may_see(login: Login):
    make_rows()

    html = text_of(get(login("view_dashboard", "view_deadjob"), PATH))

    assert "/admin/jobs/deadjob/dead1/change/" in html
    assert 'data-qc-region="workers"' not in html


def test_it_escapes_what_others_wrote(superuser: Client):
    evil = "<script>alert(1)</script>"
    make_job(id="<b>x", state=State.DEAD, error=evil, command=evil, queue="<i>q")
    Config.objects.create(queue="<u>r", paused_at=timezone.now(), paused_reason=evil)
    make_supervisor(host="<em>h", heartbeat_at=timezone.now(), workers=[{"pid": 1, "jobs": ["<b>x"]}])

    html = text_of(get(superuser, PATH))

    for tag in ("<script>alert", "<b>x", "<i>q", "<u>r", "<em>h"):
        assert tag not in html


def test_it_shows_no_number_of_its_own_language_inside_a_drawing(superuser: Client, settings):
    settings.LANGUAGE_CODE = "de"
    make_minute(timezone.now(), completed=3, failed=1)

    html = text_of(get(superuser, PATH))

    assert not re.search(r'(?:x|y|width|height)="\d+,', html)


@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_it_has_no_page_for_a_counter_behind_it(superuser: Client, page: str):
    make_minute(timezone.now(), completed=3)
    row = Counter.objects.get()

    response = get(superuser, f"{PATH}{row.pk}/{page}/")

    assert "histogram" not in text_of(response)
    assert response.status_code in (302, 403)
