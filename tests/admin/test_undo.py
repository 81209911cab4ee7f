"""Undo: the link in the message, the question it leads to, the report, who may, and the trace."""

import json
import re
from collections import Counter
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from jobs import queue
from jobs.admin import audit, bulk, paging
from jobs.errors import WrongState
from jobs.models import Job, Undo
from jobs.queue import _people, _undo
from jobs.states import State
from tests.admin.conftest import OPERATE, Login, browser_of
from tests.admin.pages import confirmed, everything, get, markup_of, messages_of, post, text_of
from tests.factories import make_job, make_supervisor
from tests.queue import turns
from tests.queue.racing import busy_error

pytestmark = pytest.mark.django_db


def make_dead(number: int) -> None:
    for place in range(number):
        make_job(id=f"dead{place}", state=State.DEAD)


def rows() -> list[dict[str, Any]]:
    return [dict(row) for row in Job.objects.order_by("pk").values()]


def link_in(response: HttpResponse) -> str:
    """Return where the last message leads, as the path below the app."""
    (link,) = re.findall(r'<a href="/admin/jobs/([^"]+)">Undo</a>', markup_of(response)[-1])
    return unescape(link)


def act(client: Client, path: str, **fields: str) -> str:
    return link_in(post(client, path, confirmed(**fields)))


@pytest.mark.parametrize("path", ["job/requeue/?state=dead", "deadjob/requeue/", "job/requeue/?job=dead0"])
def test_it_puts_everything_back_that_was_requeued(superuser: Client, path):
    make_dead(1 if "job=" in path else 3)
    before = rows()
    link = act(superuser, path)

    page = text_of(get(superuser, link))
    response = post(superuser, link, confirmed())

    count = len(before)
    assert f"Put {count} job{'s' if count > 1 else ''} back?" in page
    assert "They are completed, dead or cancelled again" in page
    assert messages_of(response)[-1] == f"{count} put back."
    assert rows() == before


def test_it_puts_back_what_was_cancelled_and_says_what_had_started(superuser: Client):
    for state in (State.PENDING, State.SCHEDULED, State.FAILED, State.PROCESSING):
        make_job(id=state.value, state=state)
    before = rows()
    link = act(superuser, "job/cancel/")

    page = text_of(get(superuser, link))
    response = post(superuser, link, confirmed())

    assert "Put 3 jobs back?" in page
    assert "Running jobs that were asked to stop do not come back." in page
    assert messages_of(response)[-1] == "3 put back."
    asked = Job.objects.get(pk="processing").cancel_requested_at
    assert rows() == [row | ({"cancel_requested_at": asked} if row["id"] == "processing" else {}) for row in before]


def test_it_says_of_every_job_what_became_of_it(superuser: Client):
    make_dead(5)
    link = act(superuser, "job/requeue/?state=dead")
    queue.change_settings("dead0", fields={"priority": 9}, fence=1, now=timezone.now())
    turns.claim(make_supervisor(), limit=1)
    queue.cancel(["dead1", "dead2"], now=timezone.now())
    queue.delete(["dead2"], now=timezone.now())

    response = post(superuser, link, confirmed())

    assert messages_of(response)[-1] == "2 put back, 1 had started already, 1 changed meanwhile, 1 no longer here."
    states = dict(Job.objects.values_list("pk", "state"))
    assert states == {"dead0": "processing", "dead1": "cancelled", "dead3": "dead", "dead4": "dead"}


def test_it_returns_to_the_list_as_it_was_filtered_and_to_the_page_of_a_job(superuser: Client):
    make_dead(2)

    from_list = post(superuser, act(superuser, "job/requeue/?state=dead&queue=default"), confirmed())
    from_job = post(superuser, act(superuser, "job/requeue/?job=dead0", ids='["dead0"]'), confirmed())
    from_dead = post(superuser, act(superuser, "deadjob/requeue/?job=dead0", ids='["dead0"]'), confirmed())

    assert from_list.headers["Location"] == "/admin/jobs/job/?state=dead&queue=default"
    assert from_job.headers["Location"] == "/admin/jobs/job/dead0/change/"
    assert from_dead.headers["Location"] == "/admin/jobs/deadjob/dead0/change/"


def test_it_offers_the_link_once_and_it_undoes_once(superuser: Client):
    make_dead(2)
    link = act(superuser, "job/requeue/?state=dead")
    post(superuser, link, confirmed())
    before = everything()

    page = text_of(get(superuser, link))
    response = post(superuser, link, confirmed())

    assert "There is nothing to undo" in page
    assert 'type="submit"' not in page.split('class="qc-form"')[1].split("</form>")[0]
    assert messages_of(response)[-1].startswith("There is nothing to undo")
    assert everything() == before


def test_it_offers_nothing_to_undo_where_nothing_was_changed_or_kept(superuser: Client):
    make_job(id="running", state=State.PROCESSING)
    make_job(id="done", state=State.COMPLETED)

    for path in ("job/cancel/?job=running", "job/requeue/?job=running", "job/delete/?job=done", "job/run_now/"):
        assert "Undo" not in markup_of(post(superuser, path, confirmed()))[-1]


def test_it_changes_nothing_before_the_question_is_answered(superuser: Client):
    make_dead(2)
    link = act(superuser, "job/requeue/?state=dead")
    before = everything()

    get(superuser, link)
    superuser.get(f"/admin/jobs/{link}", confirmed())
    post(superuser, link, {})

    assert everything() == before


def test_it_undoes_nothing_without_a_csrf_token(superuser: Client):
    make_dead(1)
    link = act(superuser, "job/requeue/")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="root"))
    before = everything()

    assert post(client, link, confirmed()).status_code == 403

    assert everything() == before


def test_it_undoes_nothing_when_the_minute_is_over(superuser: Client):
    make_dead(1)
    link = act(superuser, "job/requeue/")
    Undo.objects.update(at=timezone.now() - timedelta(minutes=1))
    before = everything()

    response = post(superuser, link, confirmed())

    assert messages_of(response)[-1].startswith("There is nothing to undo")
    assert everything() == before


def test_it_undoes_nothing_that_another_person_did(superuser: Client, operator: Client):
    make_dead(1)
    link = act(operator, "job/requeue/")
    before = everything()

    assert "There is nothing to undo" in text_of(get(superuser, link))
    post(superuser, link, confirmed())

    assert everything() == before


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("job/requeue/", {"view_job", "requeue_job"}),
        ("job/cancel/", {"view_job", "cancel_job"}),
        ("deadjob/requeue/", {"view_deadjob", "requeue_job"}),
    ],
)
def test_it_needs_the_permission_of_what_is_undone(login: Login, path: str, needed: set[str]):
    make_dead(1)
    make_job(id="waiting")
    client = login(*needed)
    user = User.objects.get()
    link = act(client, path)
    before = everything()

    for missing in needed:
        user.user_permissions.set(_permissions(OPERATE - {missing}))
        assert get(client, link).status_code == 403
        assert post(client, link, confirmed()).status_code == 403
    assert everything() == before

    user.user_permissions.set(_permissions(needed))
    assert "put back" in messages_of(post(client, link, confirmed()))[-1]


def _permissions(names: set[str]) -> Any:
    return Permission.objects.filter(content_type__app_label="jobs", codename__in=names)


def test_it_does_not_undo_one_verb_with_the_permission_of_another(login: Login):
    make_job(id="waiting")
    client = login("view_job", "requeue_job", "cancel_job")
    link = act(client, "job/cancel/")
    User.objects.get().user_permissions.set(_permissions({"view_job", "requeue_job"}))
    before = everything()

    response = post(client, link.replace("/cancel/", "/requeue/"), confirmed())

    assert messages_of(response)[-1].startswith("There is nothing to undo")
    assert everything() == before


def test_it_shows_nothing_to_visitors_and_customers(superuser: Client):
    make_dead(1)
    link = act(superuser, "job/requeue/")

    for client in (Client(), browser_of(User.objects.create_user("customer"))):
        assert post(client, link, confirmed()).headers["Location"].startswith("/admin/login/")

    assert Job.objects.get().state == "pending"


def test_it_logs_what_was_put_back_and_nothing_else(superuser: Client):
    make_dead(2)
    link = act(superuser, "deadjob/requeue/", ids=json.dumps(["dead0", "dead1"]))
    queue.cancel(["dead1"], now=timezone.now())
    LogEntry.objects.all().delete()

    post(superuser, link, confirmed())

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.user.username) == ("dead0", "root")
    assert entry.change_message == "put back, undoing: requeued from the Dead Letter Queue"
    assert "put back, undoing" in text_of(get(superuser, "job/dead0/history/"))


def test_it_logs_a_summary_of_many(superuser: Client, monkeypatch):
    monkeypatch.setattr(bulk, "EACH_MAX", 2)
    monkeypatch.setattr(_people, "JOBS_PER_TRANSACTION", 2)
    monkeypatch.setattr(_undo, "JOBS_PER_TRANSACTION", 2)
    make_dead(5)
    before = rows()
    link = act(superuser, "job/requeue/?state=dead")
    LogEntry.objects.all().delete()

    response = post(superuser, link, confirmed())

    assert messages_of(response)[-1] == "5 put back."
    entry = LogEntry.objects.get()
    assert (entry.object_repr, entry.change_message) == ("undo of: requeued", "5 put back")
    assert rows() == before


def test_it_undoes_what_was_done_of_a_set_for_which_the_time_ran_out(superuser: Client, monkeypatch):
    monkeypatch.setattr(bulk, "EACH_MAX", 2)
    monkeypatch.setattr(bulk, "SECONDS_MAX", 0.0)
    monkeypatch.setattr(_people, "JOBS_PER_TRANSACTION", 2)
    make_dead(5)
    before = rows()

    response = post(superuser, act(superuser, "job/requeue/?state=dead"), confirmed())

    assert messages_of(response)[-1] == "2 put back."
    assert rows() == before


def test_it_says_beforehand_what_can_be_undone(superuser: Client):
    make_dead(1)

    assert "For a minute this can be undone" in text_of(get(superuser, "job/requeue/"))
    assert "undone" not in text_of(get(superuser, "job/delete/"))


def test_it_keeps_nothing_of_more_jobs_than_can_be_undone_and_says_so(superuser: Client, monkeypatch):
    monkeypatch.setattr(bulk, "EACH_MAX", 1)
    monkeypatch.setattr(paging, "COUNT_MAX", 2)
    make_dead(3)

    page = text_of(get(superuser, "job/requeue/?state=dead"))
    response = post(superuser, "job/requeue/?state=dead", confirmed())

    assert "These are more than can be undone." in page
    assert messages_of(response) == ["3 requeued."]
    assert "Undo" not in markup_of(response)[0]
    assert not Undo.objects.exists()


def test_it_leaves_no_undo_without_its_trace(superuser: Client, monkeypatch):
    make_dead(1)
    link = act(superuser, "job/requeue/")
    before = everything()

    def fail(**kwargs):
        raise RuntimeError

    monkeypatch.setattr(audit, "note_jobs", fail)
    with pytest.raises(RuntimeError):
        post(superuser, link, confirmed())

    assert everything() == before


def test_it_says_so_when_the_database_is_busy(superuser: Client, monkeypatch):
    make_dead(1)
    link = act(superuser, "job/requeue/")

    def locked(**kwargs):
        raise busy_error()

    monkeypatch.setattr(queue, "undo", locked)

    assert "the database is busy" in messages_of(post(superuser, link, confirmed()))[-1]


def test_it_says_so_when_the_queue_refuses(superuser: Client, monkeypatch):
    make_dead(1)
    link = act(superuser, "job/requeue/")
    before = everything()

    def refuse(**kwargs):
        raise WrongState("jobs were changed while they were put back")

    monkeypatch.setattr(queue, "undo", refuse)

    assert messages_of(post(superuser, link, confirmed()))[-1] == "jobs were changed while they were put back"
    assert everything() == before


def test_it_shows_the_link_as_a_link_and_everything_else_as_text(superuser: Client, monkeypatch):
    make_dead(1)
    reasons = Counter({'<script>alert("1")</script>': 1})
    monkeypatch.setattr(bulk, "_reasons", lambda refused: reasons)
    response = post(superuser, 'job/requeue/?job=dead0&q="><script>', confirmed())

    page = text_of(superuser.get(response.headers["Location"]))  # type: ignore[arg-type]

    assert re.search(r'<a href="/admin/jobs/job/requeue/undo/\?job=dead0&amp;q=[^"<>]+">Undo</a>', page)
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page
