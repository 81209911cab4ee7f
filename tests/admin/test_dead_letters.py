"""The Dead Letter Queue: why jobs died, and what most of them died of."""

import pytest
from django.test import Client

from jobs.admin import top_errors
from jobs.states import Ending, State
from tests.admin.pages import get, text_of
from tests.clock import after
from tests.factories import make_job

pytestmark = pytest.mark.django_db


def test_it_lists_dead_jobs_only_with_why_they_died(superuser: Client):
    make_job(id="dead", state=State.DEAD, outcome=Ending.TIMED_OUT, error="timed out after 30s", attempts=4, fence=4)
    make_job(id="failed", state=State.FAILED)

    html = text_of(get(superuser, "deadjob/"))

    assert "timed out</span>" in html
    assert "timed out after 30s" in html
    assert ">4/4<" in html
    assert "/failed/" not in html


def test_it_shows_the_top_errors_as_links_to_the_jobs_that_have_them(superuser: Client):
    for n in range(3):
        make_job(id=f"a{n}", state=State.DEAD, error="exit code 1 & more")
    make_job(id="b", state=State.DEAD, error=None)

    html = text_of(get(superuser, "deadjob/"))
    filtered = get(superuser, "deadjob/?error=exit+code+1+%26+more")
    without = get(superuser, "deadjob/?error=")

    assert '<a href="?error=exit+code+1+%26+more">exit code 1 &amp; more</a>' in html
    assert '<a href="?error=">no error was recorded</a>' in html
    assert filtered.context["cl"].result_count == 3  # type: ignore[attr-defined]
    assert without.context["cl"].result_count == 1  # type: ignore[attr-defined]


def test_it_names_the_error_in_the_confirmation(superuser: Client):
    make_job(state=State.DEAD, error="exit code 1")

    assert "error: exit code 1" in text_of(get(superuser, "deadjob/requeue/?error=exit+code+1"))


def test_it_groups_the_newest_dead_jobs_only(superuser: Client, monkeypatch):
    monkeypatch.setattr(top_errors, "LOOKED_AT", 2)
    for n in range(4):
        make_job(id=f"job{n}", state=State.DEAD, error=f"error {n}", finished_at=after(seconds=n))

    errors = get(superuser, "deadjob/").context["top_errors"]  # type: ignore[attr-defined]

    assert [error.text for error in errors] == ["error 3", "error 2"]


def test_it_gives_no_link_for_an_error_that_no_address_can_hold(superuser: Client):
    make_job(state=State.DEAD, error="x" * 5_000)

    assert "?error=x" not in text_of(get(superuser, "deadjob/"))


def test_it_leads_to_the_one_history_of_a_job(superuser: Client):
    make_job(id="a/b", state=State.DEAD)

    assert get(superuser, "deadjob/a_2Fb/history/").headers["Location"] == "/admin/jobs/job/a_2Fb/history/"
