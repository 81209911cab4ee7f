"""Requeue, run now, cancel, delete and discard: what is meant, the question, the change, the report and the trace."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.test import Client
from django.utils import timezone

from jobs import queue
from jobs.admin import JobAdmin, audit, bulk
from jobs.models import Attempt, Job
from jobs.states import State
from tests.admin.conftest import Login
from tests.admin.pages import confirmed, get, messages_of, post, text_of
from tests.clock import NOW
from tests.factories import make_job
from tests.queue.racing import busy_error

pytestmark = pytest.mark.django_db


def make_dead(number: int, **fields) -> None:
    for place in range(number):
        make_job(**({"id": f"dead{place}", "state": State.DEAD} | fields))


def states() -> dict[str, str]:
    return dict(Job.objects.values_list("pk", "state"))


def ticked(action: str, *ids: str, **more: str) -> dict[str, object]:
    return {"action": action, "index": "0", "_selected_action": list(ids), **more}


def fields_of(html: str) -> dict[str, str]:
    """Return the hidden fields of the confirmation page."""
    inputs = re.findall(r'<input type="hidden" name="(?!csrf)(\w+)" value="([^"]*)">', html)
    return {name: value.replace("&quot;", '"') for name, value in inputs}


def test_it_asks_before_it_requeues_what_was_ticked(superuser: Client):
    make_dead(3)

    html = text_of(post(superuser, "job/", ticked("requeue", "dead0", "dead1")))

    assert "Requeue 2 jobs?" in html
    assert "They run again" in html
    assert "dead0" in html
    assert "dead2" not in html
    assert set(states().values()) == {"dead"}


def test_it_requeues_what_the_confirmation_page_said(superuser: Client):
    make_dead(3)
    fields = fields_of(text_of(post(superuser, "job/", ticked("requeue", "dead0", "dead1"))))

    response = post(superuser, "job/requeue/", fields)

    assert states() == {"dead0": "pending", "dead1": "pending", "dead2": "dead"}
    assert messages_of(response) == ["2 requeued. Undo"]


def test_it_carries_the_filter_and_no_field_per_job(superuser: Client):
    make_dead(120)
    across = ticked("requeue", "dead0", select_across="1")

    html = text_of(post(superuser, "job/?state=dead&queue=default", across))

    assert "Requeue 120 jobs?" in html
    assert "state: dead; queue: default" in html
    assert set(fields_of(html)) == {"seen_at", "confirmed"}
    assert 'action="/admin/jobs/job/requeue/?state=dead&amp;queue=default"' in html


def test_it_carries_ticked_jobs_in_one_field(superuser: Client):
    make_dead(60)

    fields = fields_of(text_of(post(superuser, "job/", ticked("requeue", *(f"dead{place}" for place in range(50))))))

    assert len(json.loads(fields["ids"])) == 50
    assert len(fields) == 3


def test_it_applies_to_everything_that_matches_and_to_nothing_else(superuser: Client):
    make_dead(3)
    make_job(id="other", state=State.DEAD, queue="mail")
    make_job(id="done", state=State.COMPLETED)

    response = post(superuser, "job/requeue/?state=dead&queue=default", confirmed())

    assert states() == {
        "dead0": "pending",
        "dead1": "pending",
        "dead2": "pending",
        "other": "dead",
        "done": "completed",
    }
    assert response.headers["Location"] == "/admin/jobs/job/?state=dead&queue=default"


def test_it_understands_a_search_as_a_filter(superuser: Client):
    make_dead(2)
    make_job(id="backup1", state=State.DEAD, command="backup --all")

    page = text_of(get(superuser, "job/requeue/?q=cmd:backup+state:dead"))
    post(superuser, "job/requeue/?q=cmd:backup+state:dead", confirmed())

    assert "search: cmd:backup state:dead" in page
    assert states() == {"dead0": "dead", "dead1": "dead", "backup1": "pending"}


def test_it_leaves_alone_what_came_after_the_question(superuser: Client):
    make_dead(1)
    make_job(id="later", state=State.DEAD, finished_at=timezone.now() + timedelta(seconds=30))
    fields = fields_of(text_of(get(superuser, "deadjob/discard/")))

    post(superuser, "deadjob/discard/", fields)

    assert states() == {"later": "dead"}


def test_it_refuses_an_answer_to_no_question(superuser: Client):
    make_dead(1)

    for wrong in (
        {},
        {"seen_at": "soon"},
        {"seen_at": "2026-01-01T00:00:00"},
        {"seen_at": "2026-13-01T00:00:00Z"},
        {"seen_at": "0001-01-01T00:00:00+23:59"},
    ):
        assert post(superuser, "job/requeue/", {"confirmed": "yes", **wrong}).status_code == 400

    assert states() == {"dead0": "dead"}


@pytest.mark.parametrize("ids", ["", "x", "{}", "[1]", '"dead0"', "[" * 100_000, json.dumps(["x"] * 1_001)])
def test_it_refuses_ids_that_are_none(superuser: Client, ids):
    make_dead(1)

    assert post(superuser, "job/requeue/", confirmed(ids=ids)).status_code == 400

    assert states() == {"dead0": "dead"}


def test_it_does_nothing_at_the_second_click(superuser: Client):
    make_dead(2)
    fields = confirmed(ids=json.dumps(["dead0", "dead1"]))
    post(superuser, "job/requeue/", fields)
    before = list(Job.objects.values())

    response = post(superuser, "job/requeue/", fields)

    assert messages_of(response)[-1] == "0 requeued, 2 skipped (2 pending)."
    assert list(Job.objects.values()) == before
    assert LogEntry.objects.count() == 2


def test_it_does_nothing_at_the_second_click_on_everything(superuser: Client):
    make_dead(2)
    post(superuser, "deadjob/requeue/", confirmed())

    response = post(superuser, "deadjob/requeue/", confirmed())

    assert messages_of(response)[-1] == "0 requeued."
    assert LogEntry.objects.count() == 2


def test_it_says_what_it_skipped_and_why(superuser: Client):
    make_dead(2)
    make_job(id="waiting", state=State.PENDING)
    make_job(id="running", state=State.PROCESSING)

    ids = json.dumps(["dead0", "dead1", "waiting", "running", "never"])
    response = post(superuser, "job/requeue/", confirmed(ids=ids))

    assert messages_of(response) == ["2 requeued, 3 skipped (1 no longer here, 1 pending, 1 processing). Undo"]


def test_it_touches_nothing_that_the_list_does_not_show_to_this_person(superuser: Client, monkeypatch):
    make_dead(1)
    make_job(id="theirs", state=State.DEAD, queue="theirs")
    listed = JobAdmin.get_queryset
    monkeypatch.setattr(JobAdmin, "get_queryset", lambda self, request: listed(self, request).exclude(queue="theirs"))

    response = post(superuser, "job/requeue/", confirmed(ids=json.dumps(["dead0", "theirs"])))
    post(superuser, "job/delete/?job=theirs", confirmed())

    assert states() == {"dead0": "pending", "theirs": "dead"}
    assert messages_of(response)[0] == "1 requeued, 1 skipped (1 no longer here). Undo"


def test_it_gives_the_queues_own_reason_for_a_single_job(superuser: Client):
    make_job(id="waiting", state=State.PENDING)

    response = post(superuser, "job/requeue/?job=waiting", confirmed())

    assert messages_of(response) == ["waiting is pending; only completed, dead and cancelled jobs can be run again"]
    assert response.headers["Location"] == "/admin/jobs/job/waiting/change/"


def test_it_offers_no_button_where_nothing_can_be_done(superuser: Client):
    make_job(id="waiting", state=State.PENDING)

    html = text_of(get(superuser, "job/requeue/?job=waiting"))

    assert "1 job is left as it is: only completed, dead and cancelled jobs can be run again." in html
    assert 'type="submit" class="qc-button' not in html


def test_it_cancels_waiting_jobs_and_asks_for_the_end_of_running_ones(superuser: Client):
    make_job(id="waiting", state=State.PENDING)
    make_job(id="running", state=State.PROCESSING)

    response = post(superuser, "job/cancel/", confirmed())

    assert states() == {"waiting": "cancelled", "running": "processing"}
    assert Job.objects.get(pk="running").cancel_requested_at is not None
    assert messages_of(response) == ["2 cancelled or asked to stop. Undo"]


def test_it_asks_a_running_job_to_stop_only_once(superuser: Client):
    make_job(id="running", state=State.PROCESSING, cancel_requested_at=NOW)

    one = post(superuser, "job/cancel/?job=running", confirmed())
    everything = post(superuser, "job/cancel/", confirmed())

    assert Job.objects.get(pk="running").cancel_requested_at == NOW
    assert messages_of(one)[0] == "0 cancelled or asked to stop, 1 skipped (1 already asked to stop)."
    assert messages_of(everything)[-1] == "0 cancelled or asked to stop."


def test_it_makes_jobs_due_that_wait_for_their_time(superuser: Client):
    make_job(id="later", state=State.SCHEDULED, run_at=timezone.now() + timedelta(days=1))
    make_job(id="retried", state=State.FAILED, run_at=timezone.now() + timedelta(hours=1))
    make_job(id="due", state=State.PENDING)

    page = text_of(get(superuser, "job/run_now/"))
    response = post(superuser, "job/run_now/", confirmed())

    assert "Run 2 jobs now?" in page
    assert "1 job is left as it is: only scheduled and failed jobs wait for their time." in page
    assert set(states().values()) == {"pending"}
    assert not Job.objects.filter(run_at__gt=timezone.now()).exists()
    assert messages_of(response) == ["2 made due, 1 skipped (1 pending)."]


@pytest.mark.parametrize(("state", "is_offered"), [(State.FAILED, True), (State.SCHEDULED, True), (State.DEAD, False)])
def test_it_offers_to_run_now_only_what_waits_for_its_time(superuser: Client, state, is_offered):
    make_job(id="job1", state=state, run_at=timezone.now() + timedelta(days=1))

    assert ('href="/admin/jobs/job/run_now/?job=job1"' in text_of(get(superuser, "job/job1/change/"))) is is_offered
    assert "Run all now…" in text_of(get(superuser, "job/"))


def test_it_never_deletes_what_waits_or_runs(superuser: Client):
    make_job(id="waiting", state=State.PENDING)
    make_job(id="running", state=State.PROCESSING)
    make_job(id="done", state=State.COMPLETED)

    page = text_of(get(superuser, "job/delete/"))
    response = post(superuser, "job/delete/", confirmed())

    assert "Delete 1 job?" in page
    assert "2 jobs are left as they are" in page
    assert set(states()) == {"waiting", "running"}
    assert messages_of(response) == ["1 deleted, 2 skipped (1 pending, 1 processing)."]


def test_it_discards_dead_jobs_with_their_attempts(superuser: Client):
    make_dead(2)
    make_job(id="done", state=State.COMPLETED)
    Attempt.objects.create(job_id="dead0", fence=1, number=1, host="h", started_at=NOW)

    post(superuser, "deadjob/discard/", confirmed())

    assert set(states()) == {"done"}
    assert not Attempt.objects.exists()


def test_it_touches_only_dead_jobs_from_the_dead_letters(superuser: Client):
    make_job(id="done", state=State.COMPLETED)

    post(superuser, "deadjob/requeue/", confirmed(ids=json.dumps(["done"])))
    post(superuser, "deadjob/discard/?job=done", confirmed())

    assert states() == {"done": "completed"}


def test_it_logs_who_did_what_to_each_job(login: Login):
    make_dead(2)
    client = login("view_job", "requeue_job")

    post(client, "job/requeue/?state=dead", confirmed())

    entries = list(LogEntry.objects.order_by("object_id").values_list("object_id", "user__username", "action_flag"))
    assert entries == [("dead0", "user0", CHANGE), ("dead1", "user0", CHANGE)]
    assert LogEntry.objects.values_list("change_message", flat=True)[0] == (
        "requeued, as one of 2 that matched: state: dead"
    )
    assert "requeued, as one of 2" in text_of(get(client, "job/dead0/history/"))


def test_it_logs_a_deletion_as_one(superuser: Client):
    make_dead(1)

    post(superuser, "deadjob/discard/?job=dead0", confirmed())

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.object_repr, entry.action_flag) == ("dead0", "dead0", DELETION)
    assert entry.change_message == "discarded from the Dead Letter Queue"


def test_it_logs_a_summary_beyond_what_is_logged_one_by_one(superuser: Client, monkeypatch):
    monkeypatch.setattr(bulk, "EACH_MAX", 2)
    make_dead(3)

    response = post(superuser, "job/requeue/?state=dead", confirmed())

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.object_repr, entry.change_message) == (None, "state: dead", "3 requeued")
    assert set(states().values()) == {"pending"}
    assert messages_of(response) == ["3 requeued. Undo"]
    assert superuser.get("/admin/").status_code == 200  # "Recent actions" can show an entry without an object


def test_it_stops_in_time_and_says_that_there_is_more(superuser: Client, monkeypatch):
    monkeypatch.setattr(bulk, "EACH_MAX", 2)
    monkeypatch.setattr(bulk, "SECONDS_MAX", 0.0)
    monkeypatch.setattr(queue._people, "JOBS_PER_TRANSACTION", 2)
    make_dead(5)

    response = post(superuser, "job/requeue/?state=dead", confirmed())

    assert messages_of(response) == [
        "2 requeued. The time for one request ran out; do the same again for the rest. Undo"
    ]
    assert list(states().values()).count("dead") == 3
    assert LogEntry.objects.get().change_message == "2 requeued"


def test_it_leaves_no_change_without_its_trace(superuser: Client, monkeypatch):
    make_dead(1)

    def fail(**kwargs):
        raise RuntimeError

    monkeypatch.setattr(audit, "note_jobs", fail)

    with pytest.raises(RuntimeError):
        post(superuser, "job/requeue/?job=dead0", confirmed())

    assert states() == {"dead0": "dead"}


def test_it_says_so_when_the_database_is_busy(superuser: Client, monkeypatch):
    make_dead(1)

    def locked(*args, **kwargs):
        raise busy_error()

    monkeypatch.setattr(bulk, "carry_out", locked)

    response = post(superuser, "job/requeue/?job=dead0", confirmed())

    assert response.status_code == 302
    assert "the database is busy" in messages_of(response)[0]


def test_it_returns_to_the_list_when_the_job_is_gone(superuser: Client):
    make_dead(1)

    response = post(superuser, "job/delete/?job=dead0", confirmed())

    assert response.headers["Location"] == "/admin/jobs/job/"


def test_it_refuses_a_filter_that_is_none(superuser: Client):
    for page in ("job/", "job/requeue/"):
        assert get(superuser, f"{page}?priority__x=1").status_code == 400
        assert get(superuser, f"{page}?nonsense=1").status_code == 400


def test_it_returns_to_the_list_for_a_value_that_a_filter_of_the_project_does_not_know(superuser: Client, monkeypatch):
    monkeypatch.setattr(JobAdmin, "list_filter", (*JobAdmin.list_filter, "priority"))
    make_dead(1)

    assert get(superuser, "job/?priority__exact=0").status_code == 200
    assert get(superuser, "job/requeue/?priority__exact=0").status_code == 200
    assert get(superuser, "job/requeue/?priority__exact=x").headers["Location"] == "/admin/jobs/job/?e=1"


def test_it_asks_nothing_when_nothing_was_ticked(superuser: Client):
    make_dead(1)

    response = post(superuser, "job/", {"action": "requeue", "index": "0"})

    assert response.status_code == 302
    assert states() == {"dead0": "dead"}
