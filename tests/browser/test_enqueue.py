"""Enqueueing in a browser: from the list of jobs to the new one; impatient clicks; no JavaScript."""

from typing import Any

from jobs.models import Job
from tests.browser.conftest import MakeTab
from tests.browser.rig import Tab


def enqueued() -> list[Job]:
    return list(Job.objects.filter(command__startswith="pg_dump --table=orders"))


def test_it_leads_from_the_list_of_jobs_to_the_page_of_the_new_one(make_tab: MakeTab):
    tab = make_tab(java_script_enabled=False)

    tab.open("job/")
    tab.link("Enqueue…").click()
    tab.link("Back up a table").click()
    tab.page.get_by_label("Table").select_option("orders")
    tab.page.get_by_label("Days").fill("7")
    tab.button("Enqueue").click()

    (job,) = enqueued()
    assert tab.report() == f"{job.pk} is enqueued."
    assert tab.page.url.endswith(f"/admin/jobs/job/{job.pk}/change/")
    assert job.command == "pg_dump --table=orders --file=/backup/orders-7.dump"


def test_it_makes_one_job_of_a_form_that_is_sent_again_after_its_answer_was_lost(make_tab: MakeTab):
    tab = make_tab()
    tab.open("job/enqueue/command/backup/")
    tab.page.get_by_label("Table").select_option("orders")
    tab.page.route("**/command/backup/", _lose_the_answer, times=1)

    with tab.page.expect_event("requestfailed"):
        tab.button("Enqueue").click(no_wait_after=True)
    assert len(enqueued()) == 1
    tab.button("Enqueue").click()
    tab.page.wait_for_url("**/change/")

    (job,) = enqueued()
    assert tab.page.url.endswith(f"/admin/jobs/job/{job.pk}/change/")
    assert f"{job.pk} was enqueued by this form before; nothing was enqueued a second time." in tab.report()


def _lose_the_answer(route: Any) -> None:
    route.fetch(max_redirects=0)
    route.abort("aborted")


def test_it_makes_one_job_of_a_double_click(make_tab: MakeTab):
    tab = make_tab()
    tab.open("job/enqueue/command/backup/")
    tab.page.get_by_label("Table").select_option("orders")

    tab.button("Enqueue").dblclick()
    tab.page.wait_for_url("**/change/")

    (job,) = enqueued()
    assert tab.page.url.endswith(f"/admin/jobs/job/{job.pk}/change/")


def test_it_says_what_is_wrong_beside_the_field_without_a_barrier(tab: Tab):
    tab.open("job/enqueue/task/tests.shop.tasks.send_5Freceipt/")
    tab.page.get_by_label("Arguments", exact=True).fill("[1,")
    tab.page.get_by_label("Timeout").fill("soon")
    tab.button("Enqueue").click()

    assert "timeout: must be a duration" in tab.text_of(".qc-has-errors")
    assert tab.barriers() == []
    tab.page.get_by_label("Timeout").fill("")
    tab.button("Enqueue").click()
    assert "args: expecting" in tab.text_of(".qc-has-errors")
