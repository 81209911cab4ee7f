"""Every action, from the click on a page to the report, with and without JavaScript, by mouse and by keyboard."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from jobs.models import Config, Job, Supervisor
from jobs.states import State
from tests.browser.conftest import MakeTab
from tests.browser.rig import Tab
from tests.browser.scenery import PAGES

RUN = ".actions button"  # which Django's versions call by different names


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def tab(request: pytest.FixtureRequest, make_tab: MakeTab, shop: None) -> Tab:
    return make_tab(java_script_enabled=request.param)


def states_of(*ids: str) -> list[str]:
    return [Job.objects.get(pk=id_).state for id_ in ids]


def tick(tab: Tab, *ids: str) -> None:
    for id_ in ids:
        tab.find(f"#result_list input[value={id_}]").check()


def choose(tab: Tab, action: str) -> None:
    tab.find("select[name=action]").select_option(label=action)
    tab.find(RUN).click()


def is_post(route: Any) -> bool:
    return bool(route.request.method == "POST")


def test_it_requeues_a_dead_job_from_its_page(tab: Tab):
    tab.open(PAGES["job-dead"])
    tab.link("Requeue").click()
    tab.button("Requeue 1 job").click()

    assert tab.report() == "1 requeued. Undo"
    assert tab.text_of(".qc-head .qc-badge").endswith("pending")
    assert states_of("monthly-report-eu") == [State.PENDING]


def test_it_does_nothing_if_the_person_thinks_better_of_it(tab: Tab):
    tab.open(PAGES["job-dead"])
    tab.link("Delete").click()
    tab.link("No, take me back").click()

    assert tab.text_of(".qc-head .qc-id") == "monthly-report-eu"
    assert states_of("monthly-report-eu") == [State.DEAD]


def test_it_cancels_the_ticked_jobs(tab: Tab):
    tab.open("job/?state=scheduled")
    tick(tab, "newsletter-4711", "newsletter-4713")
    choose(tab, "Cancel selected jobs")
    tab.button("Cancel 2 jobs").click()

    assert tab.report() == "2 cancelled or asked to stop. Undo"
    ids = ("newsletter-4711", "newsletter-4712", "newsletter-4713")
    assert states_of(*ids) == [State.CANCELLED, State.SCHEDULED, State.CANCELLED]


def test_it_undoes_a_cancellation(tab: Tab):
    tab.open(PAGES["cancel"])
    tab.button("Cancel 1 job").click()
    tab.link("Undo").click()
    tab.find(".qc-buttons button").click()

    tab.find(".messagelist .success").wait_for()  # the click returns before the answer is there
    assert states_of("newsletter-4711") == [State.SCHEDULED]


def test_it_deletes_a_job(tab: Tab):
    tab.open(PAGES["job-completed"])
    tab.link("Delete").click()
    tab.button("Delete 1 job").click()

    assert tab.report() == "1 deleted."
    assert not Job.objects.filter(pk="sitemap").exists()


def test_it_requeues_all_that_died_of_the_same(tab: Tab):
    tab.open(PAGES["dead-letters"])
    tab.link("shop.ledger.LedgerUnavailable: 503 from the ledger").first.click()
    tab.link("Requeue all…").click()
    tab.button("Requeue 3 jobs").click()

    assert tab.report() == "3 requeued. Undo"
    assert sorted(Job.objects.filter(state=State.DEAD).values_list("pk", flat=True)) == [
        "thumbnails-9877",
        "webhook-acme",
    ]


def test_it_discards_every_dead_job(tab: Tab):
    tab.open(PAGES["dead-letters"])
    tab.link("Discard all…").click()
    tab.button("Discard 5 jobs").click()

    assert tab.report() == "5 discarded."
    assert "Nothing is dead." in tab.text_of(".qc-empty")


def test_it_changes_the_settings_of_a_waiting_job(tab: Tab):
    tab.open(PAGES["job-waiting"])
    tab.link("Change settings").click()
    tab.page.get_by_label("Priority").fill("7")
    tab.button("Save").click()

    assert tab.report() == "The settings of newsletter-4711 were changed."
    assert Job.objects.get(pk="newsletter-4711").priority == 7


def test_it_requeues_a_dead_letter_with_other_settings(tab: Tab):
    tab.open(PAGES["dead-letter"])
    tab.link("Change and requeue").click()
    tab.page.get_by_label("Max retries").fill("9")
    tab.button("Save and requeue").click()

    assert "Job monthly-report-eu was requeued." in tab.report()
    assert states_of("monthly-report-eu") == [State.PENDING]
    assert Job.objects.get(pk="monthly-report-eu").max_retries == 9


def test_it_runs_a_job_now_that_waits_for_its_time(tab: Tab):
    tab.open(PAGES["job-waiting"])
    tab.link("Run now").click()
    tab.button("Run 1 job now").click()

    assert tab.report() == "1 made due."
    assert states_of("newsletter-4711") == [State.PENDING]


def test_it_pauses_and_resumes_a_queue_from_the_dashboard(tab: Tab):
    tab.open(PAGES["dashboard"])
    tab.link("Pause mail").click()
    tab.page.get_by_label("Reason").fill("provider is down")
    tab.page.get_by_label("For how long").fill("2h")
    tab.button("Pause the queue").click()
    assert tab.report() == "Queue mail is paused."
    assert Config.objects.get(queue="mail").paused_reason == "provider is down"

    tab.open(PAGES["dashboard"])
    tab.link("Resume mail").click()
    tab.button("Resume the queue").click()

    assert tab.report() == "Queue mail hands out jobs again."
    assert Config.objects.get(queue="mail").paused_at is None


def test_it_previews_and_saves_the_settings_of_a_queue(tab: Tab):
    tab.open(PAGES["config-queue"])
    tab.page.get_by_label("Max retries").fill("1")
    tab.button("Preview").click()
    assert "nothing is saved yet" in tab.text_of("[role=status]")
    assert tab.find("[aria-labelledby=qc-preview] tbody tr").count() == 2
    assert Config.objects.get(queue="reports").max_retries == 2

    tab.button("Save").click()

    assert tab.report() == "Saved. Running workers follow within a second."
    assert Config.objects.get(queue="reports").max_retries == 1


def test_it_says_what_is_wrong_with_a_setting_and_stores_nothing(tab: Tab):
    tab.open(PAGES["config-queue"])
    tab.page.get_by_label("Timeout").fill("soon")
    tab.button("Save").click()

    assert tab.find(".qc-has-errors [role=alert]").inner_text().strip() != ""
    assert tab.find("[name=timeout]").get_attribute("aria-invalid") == "true"
    assert Config.objects.get(queue="reports").timeout == 900


def test_it_gives_a_queue_settings_of_its_own(tab: Tab):
    tab.open(PAGES["config-add"])
    tab.page.get_by_label("Queue").fill("imports")
    tab.button("Continue").click()
    tab.page.get_by_label("Backoff base").fill("3")
    tab.button("Save").click()

    assert Config.objects.get(queue="imports").backoff_base == 3


def test_it_asks_a_supervisor_to_stop(tab: Tab):
    tab.open(PAGES["supervisor"])
    tab.page.get_by_role("link", name="Stop").click()
    tab.button("Stop 1 supervisor").click()

    assert tab.report() == "1 supervisor was asked to stop."
    assert Supervisor.objects.get(pk=1).stop_requested_at is not None
    assert Supervisor.objects.filter(stop_requested_at__isnull=False).count() == 1


@pytest.mark.parametrize(
    ("page", "button"),
    [
        ("requeue", "Requeue 1 job"),
        ("cancel", "Cancel 1 job"),
        ("discard", "Discard 1 job"),
        ("pause", "Pause the queue"),
        ("resume", "Resume the queue"),
        ("stop-one", "Stop 1 supervisor"),
    ],
)
def test_a_double_click_does_it_once(make_tab: MakeTab, shop: None, page: str, button: str):
    tab = make_tab()
    posts: list[Any] = []

    def answer_only_the_second(route: Any) -> None:
        posts.append(route.fetch(max_redirects=0))  # the site has done it
        if len(posts) == 2:
            route.fulfill(response=posts[1])

    tab.open(PAGES[page])
    tab.page.route("**/admin/**", lambda route: answer_only_the_second(route) if is_post(route) else route.continue_())
    box = tab.button(button).bounding_box()
    tab.page.mouse.click(box["x"] + 9, box["y"] + 9)
    while not posts:
        tab.page.wait_for_timeout(20)
    tab.page.mouse.click(box["x"] + 9, box["y"] + 9)
    tab.find(".messagelist").wait_for()

    assert [post.status for post in posts] == [302, 302]
    assert LogEntry.objects.count() == 1


def test_it_is_done_by_keyboard_alone(make_tab: MakeTab, shop: None):
    tab = make_tab()
    press: Any = tab.page.keyboard.press
    tab.open("job/")

    tab.press_tab_until("a[href='?state=failed']")
    press("Enter")
    tab.page.wait_for_url("**/job/?state=failed")
    tab.press_tab_until("select[name=action]")
    tab.page.keyboard.type("Cancel")
    tab.press_tab_until("input[value=receipt-88191]")
    press("Space")
    press("Shift+Tab")  # the row before, or what is above the list
    while not tab.page.evaluate("document.activeElement.matches('.actions button')"):
        press("Shift+Tab")
    press("Enter")
    tab.page.wait_for_url("**/job/?state=failed")
    tab.button("Cancel 1 job").wait_for()
    tab.press_tab_until(".qc-buttons button")
    outline = tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    press("Enter")

    tab.find(".messagelist").wait_for()
    assert outline != "none"
    assert tab.report() == "1 cancelled or asked to stop. Undo"
    assert states_of("receipt-88190", "receipt-88191") == [State.FAILED, State.CANCELLED]
