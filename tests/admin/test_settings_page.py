"""The page of a job's settings: a waiting job is saved, a finished one saved and requeued. Only what was changed is."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from jobs import queue
from jobs.admin import audit
from jobs.models import Config, Job
from jobs.states import Ending, State
from tests.admin.conftest import Login
from tests.admin.pages import everything, get, make_rows, messages_of, post, settings, text_of
from tests.clock import NOW
from tests.factories import make_job, make_outcome, make_supervisor
from tests.queue import turns
from tests.queue.racing import busy_error

pytestmark = pytest.mark.django_db

PAGE = "job/job1/settings/"


class _Inputs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, Any]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "input" and values.get("name"):
            self.found[str(values["name"])] = values


def inputs(client: Client, path: str = PAGE) -> dict[str, dict[str, Any]]:
    parser = _Inputs()
    parser.feed(text_of(get(client, path)))
    return parser.found


def seen(client: Client, path: str = PAGE, **changes: str) -> dict[str, str]:
    """Return what a browser sends when the page is filled in like that."""
    fields = {name: values.get("value") or "" for name, values in inputs(client, path).items()}
    assert set(changes) <= set(fields)
    return fields | changes


def row() -> dict[str, Any]:
    return dict(Job.objects.values().get())


def test_it_changes_the_settings_of_a_waiting_job(superuser: Client):
    make_job()
    changes = {"queue": "mail", "priority": "-7", "max_retries": "2", "timeout": "1m30s", "backoff_base": "1.5"}
    before = row()

    response = post(superuser, PAGE, seen(superuser, **changes, backoff_max="5m"))

    stored = {"queue": "mail", "priority": -7, "max_retries": 2, "timeout_seconds": 90.0}
    assert row() == before | stored | {"backoff_base": 1.5, "backoff_max_seconds": 300.0}
    assert response.headers["Location"] == "/admin/jobs/job/job1/change/"
    assert messages_of(response) == ["The settings of job1 were changed."]
    assert LogEntry.objects.get().change_message == (
        "queue: default → mail; priority: 0 → -7; max_retries: None → 2; backoff_base: None → 1.5; "
        "backoff_max: None → 300.0; timeout: None → 90.0"
    )


def test_it_puts_a_waiting_job_off_in_the_time_zone_of_the_site(superuser: Client, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    make_job()

    page = text_of(get(superuser, PAGE))
    post(superuser, PAGE, seen(superuser, run_at="2101-07-01T08:00"))

    assert "In Europe/Berlin." in page
    assert (row()["state"], row()["run_at"]) == ("scheduled", datetime(2101, 7, 1, 6, tzinfo=UTC))


def test_it_makes_a_scheduled_job_due_when_the_time_is_emptied(superuser: Client):
    make_job(state=State.SCHEDULED, run_at=datetime(2101, 7, 1, 6, tzinfo=UTC))
    fields = seen(superuser, run_at="")

    post(superuser, PAGE, fields)

    assert fields["initial-run_at"] == "2101-07-01 06:00:00"
    assert row()["state"] == "pending"
    assert row()["run_at"] <= timezone.now()


@pytest.mark.parametrize("as_sent", ["2101-07-01T06:00", "2101-07-01T06:00:00"])  # browsers leave out a zero
def test_it_leaves_a_time_alone_that_nobody_changed(superuser: Client, as_sent):
    moment = datetime(2101, 7, 1, 6, microsecond=123_456, tzinfo=UTC)
    make_job(state=State.SCHEDULED, run_at=moment)

    post(superuser, PAGE, seen(superuser, priority="1", run_at=as_sent))

    assert (row()["priority"], row()["run_at"]) == (1, moment)


def test_it_requeues_a_dead_job_with_other_settings(superuser: Client):
    make_job(state=State.DEAD, attempts=3, fence=3, error="timed out", timeout_seconds=5.0)

    page = text_of(get(superuser, PAGE))
    response = post(superuser, PAGE, seen(superuser, timeout="1h"))

    assert "Save and requeue" in page
    job = Job.objects.get()
    assert (job.state, job.attempts, job.fence, job.timeout_seconds) == ("pending", 0, 3, 3_600.0)
    assert messages_of(response) == ["Job job1 was requeued."]
    assert LogEntry.objects.get().change_message == "requeued; timeout: 5.0 → 3600.0"


def test_it_requeues_a_finished_job_for_later(superuser: Client):
    make_job(state=State.COMPLETED)
    later = (timezone.now() + timedelta(days=1)).replace(microsecond=0)

    post(superuser, PAGE, seen(superuser, run_at=f"{later:%Y-%m-%dT%H:%M:%S}"))

    assert (row()["state"], row()["run_at"]) == ("scheduled", later)


def test_it_requeues_even_where_no_setting_was_changed(superuser: Client):
    make_job(state=State.CANCELLED)

    post(superuser, PAGE, seen(superuser))

    assert row()["state"] == "pending"
    assert LogEntry.objects.get().change_message == "requeued"


def test_it_requeues_from_the_dead_letters_and_returns_to_them(superuser: Client):
    make_job(state=State.DEAD)
    path = "deadjob/job1/settings/"
    assert f'href="/admin/jobs/{path}"' in text_of(get(superuser, "deadjob/job1/change/"))

    response = post(superuser, path, seen(superuser, path, priority="9"))

    assert (row()["state"], row()["priority"]) == ("pending", 9)
    assert response.headers["Location"] == "/admin/jobs/deadjob/"


def test_it_says_at_the_second_click_that_the_job_has_left_the_dead_letters(superuser: Client):
    make_job(state=State.DEAD)
    path = "deadjob/job1/settings/"
    fields = seen(superuser, path)
    post(superuser, path, fields)
    before = everything()

    response = post(superuser, path, fields)

    assert messages_of(response)[-1] == "job1 is not in this list any more; nothing was changed."
    assert response.headers["Location"] == "/admin/jobs/deadjob/"
    assert everything() == before


def test_it_shows_the_settings_as_a_person_would_type_them(superuser: Client):
    make_job(timeout_seconds=5_400.0, max_retries=0)
    Config.objects.create(queue="default", backoff_base=3.0)

    fields = inputs(superuser)

    assert fields["timeout"]["value"] == "1h30m"
    assert fields["max_retries"]["value"] == "0"
    assert (fields["backoff_base"].get("value"), fields["backoff_base"]["placeholder"]) == (None, "3")
    assert fields["run_at"]["type"] == "datetime-local"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("queue", "", "This field is required."),
        ("queue", "a b", "queue: must be printable and without spaces"),
        ("queue", "*", "queue: must not be *"),
        ("queue", "-x", "queue: must not start with a dash"),
        ("priority", "101", "priority: must be a whole number from -100 to 100"),
        ("priority", "1.5", "priority: must be a whole number from -100 to 100"),
        ("priority", "x" * 5_000, "priority: must be a whole number from -100 to 100"),
        ("priority", "9" * 5_000, "priority: must be a whole number from -100 to 100"),
        ("run_at", "soon", "Enter a valid date/time."),
        ("run_at", "9999-01-01T00:00", "run_at: must be within 100 years"),
        ("max_retries", "-1", "max_retries: must be from 0 to 1000"),
        ("max_retries", "nan", "max_retries: must be a number"),
        ("max_retries", "1.5", "max_retries: must be a whole number"),
        ("backoff_base", "-2", "backoff_base: must be from 0 to"),
        ("backoff_max", "soon", "backoff_max: must be a duration such as"),
        ("timeout", "soon", "timeout: must be a duration such as"),
        ("timeout", "-1s", "timeout: must be a duration such as"),
        ("timeout", "9999d", "timeout: must be from 0 to"),
    ],
)
@pytest.mark.parametrize("state", [State.PENDING, State.DEAD])
def test_it_refuses_wrong_settings_in_the_words_of_the_command_line(superuser: Client, state, field, value, words):
    make_job(state=state)
    before = everything()
    fields = seen(superuser, **{field: value})

    response = post(superuser, PAGE, fields)

    assert response.status_code == 200
    assert words in text_of(response)
    assert f'name="fence" value="{fields["fence"]}"' in text_of(response)
    assert everything() == before


@pytest.mark.parametrize("way", ["save", "requeue"])
def test_it_changes_nothing_of_a_job_that_runs(superuser: Client, way):
    make_job(state=State.PROCESSING)
    before = everything()

    page = get(superuser, PAGE)
    response = post(superuser, PAGE, settings(way=way, fence="1", queue="mail"))

    assert messages_of(page) == ["job1 runs; it can be changed before or after that."]
    assert "job1 is processing; only " in messages_of(response)[-1]
    assert everything() == before


def test_it_says_so_when_the_job_was_claimed_between_form_and_answer(superuser: Client):
    make_job()
    fields = seen(superuser, queue="mail")
    turns.claim_one(make_supervisor())
    before = everything()

    response = post(superuser, PAGE, fields)

    assert messages_of(response) == ["job1 has started meanwhile, and is processing; nothing was changed"]
    assert everything() == before


def test_it_says_so_when_the_job_ran_and_died_between_form_and_answer(superuser: Client):
    make_job(max_retries=0)
    fields = seen(superuser, queue="mail")
    turns.record(turns.claim_one(make_supervisor()), outcome=make_outcome(ending=Ending.FAILED))
    before = everything()

    response = post(superuser, PAGE, fields)

    assert messages_of(response) == ["job1 has started meanwhile, and is dead; nothing was changed"]
    assert everything() == before


def test_it_does_not_requeue_by_a_form_that_only_saves(superuser: Client):
    make_job()
    fields = seen(superuser, queue="mail")
    queue.cancel(["job1"], now=NOW)

    response = post(superuser, PAGE, fields)

    assert messages_of(response) == ["job1 is cancelled; only waiting jobs can be changed"]
    assert (row()["state"], row()["queue"]) == ("cancelled", "default")


def test_it_requeues_once_at_a_double_click(superuser: Client):
    make_job(state=State.DEAD)
    fields = seen(superuser, queue="mail")

    first, second = (post(superuser, PAGE, fields) for _ in range(2))

    assert messages_of(first) == ["Job job1 was requeued."]
    assert messages_of(second)[-1] == "job1 is pending; only finished jobs can be requeued with other settings"
    assert LogEntry.objects.count() == 1


def test_it_keeps_what_another_person_changed_meanwhile(superuser: Client):
    make_job()
    fields = seen(superuser, queue="mail")
    queue.change_settings("job1", fields={"priority": 5, "max_retries": 1}, fence=0, now=NOW)

    post(superuser, PAGE, fields)

    assert (row()["queue"], row()["priority"], row()["max_retries"]) == ("mail", 5, 1)


def test_it_logs_nothing_where_nothing_was_changed(superuser: Client):
    make_job(timeout_seconds=5_400.0, max_retries=0, backoff_base=2.5)

    response = post(superuser, PAGE, seen(superuser))

    assert messages_of(response) == ["Nothing was changed."]
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("wrong", [{"fence": ""}, {"fence": "x"}, {"fence": "9" * 99}, {"way": ""}, {"way": "delete"}])
def test_it_refuses_an_answer_to_no_form(superuser: Client, wrong):
    make_job()
    before = everything()

    assert post(superuser, PAGE, settings(queue="mail") | wrong).status_code == 400

    assert everything() == before


def test_it_lets_only_those_requeue_who_may(login: Login):
    make_rows()
    client = login("view_job", "view_deadjob", "change_retry")
    before = everything()

    assert "/settings/" not in text_of(get(client, "job/dead1/change/"))
    assert "/settings/" in text_of(get(client, "job/waiting1/change/"))
    assert post(client, "job/dead1/settings/", settings(way="requeue", fence="1")).status_code == 403
    assert messages_of(post(client, "job/dead1/settings/", settings(fence="1", queue="mail"))) == [
        "dead1 is dead; only waiting jobs can be changed"
    ]
    assert everything() == before


def test_it_leaves_no_change_without_its_trace(superuser: Client, monkeypatch):
    make_job()

    def fail(**kwargs):
        raise RuntimeError

    monkeypatch.setattr(audit, "note_change", fail)

    with pytest.raises(RuntimeError):
        post(superuser, PAGE, seen(superuser, queue="mail"))

    assert row()["queue"] == "default"


def test_it_says_so_when_the_database_is_busy(superuser: Client, monkeypatch):
    make_job()

    def locked(**kwargs):
        raise busy_error()

    monkeypatch.setattr(audit, "note_change", locked)

    response = post(superuser, PAGE, seen(superuser, queue="mail"))

    assert "the database is busy" in messages_of(response)[0]
    assert row()["queue"] == "default"
