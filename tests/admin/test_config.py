"""Settings of queues, pausing and resuming."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from jobs import conf, queue
from jobs.admin.changes_panel import CHANGES_SHOWN
from jobs.admin.config_page import preview
from jobs.errors import InvalidInput
from jobs.models import Config, ConfigChange, Job
from jobs.retry import Policy
from tests.admin.conftest import Login
from tests.admin.pages import confirmed, get, messages_of, post, text_of
from tests.clock import NOW
from tests.factories import make_job

pytestmark = pytest.mark.django_db


def values(name: str) -> dict[str, float | None]:
    row = Config.objects.get(queue=name)
    return {knob: getattr(row, knob) for knob in conf.KNOBS}


NOTHING = dict.fromkeys(conf.KNOBS)


def test_it_sets_the_defaults_and_those_of_one_queue(superuser: Client):
    post(superuser, "config/*/change/", {"max_retries": "5"})
    post(superuser, "config/mail/change/", {"backoff_base": "1.5", "timeout": "10m", "jitter": "0.2"})

    assert values("*") == NOTHING | {"max_retries": 5}
    assert values("mail") == NOTHING | {"backoff_base": 1.5, "timeout": 600.0, "jitter": 0.2}


def test_it_lets_a_knob_fall_back(superuser: Client):
    Config.objects.create(queue="mail", max_retries=5, timeout=60.0)

    post(superuser, "config/mail/change/", {"max_retries": "", "timeout": "1m"})

    assert values("mail") == NOTHING | {"timeout": 60.0}
    assert LogEntry.objects.get().change_message == "max_retries: 5 → not set"


def test_it_logs_what_was_changed_from_what_to_what(superuser: Client):
    Config.objects.create(queue="mail", timeout=60.0)

    post(superuser, "config/mail/change/", {"timeout": "90s", "max_retries": "2"})

    assert LogEntry.objects.get().change_message == "max_retries: not set → 2; timeout: 1m → 1m30s"
    assert "max_retries: not set" in text_of(get(superuser, "config/mail/history/"))


WRONG = ["-1", "nan", "inf", "-inf", "1e400", "1_0", "true", "x", "٣", "9" * 5_000, "1.5.2", "0x10", "[]", "10 m x"]


@pytest.mark.parametrize("knob", conf.KNOBS)
@pytest.mark.parametrize("value", WRONG)
def test_it_refuses_the_same_values_as_the_command_line_in_the_same_words(superuser: Client, knob, value):
    with pytest.raises(InvalidInput) as refusal:
        conf.KNOBS[knob].clean(value)

    response = post(superuser, "config/mail/change/", {knob: value})

    assert response.status_code == 200
    assert str(refusal.value) in text_of(response)
    assert not Config.objects.exists()


def test_it_derives_a_field_from_every_knob(superuser: Client):
    html = text_of(get(superuser, "config/mail/change/"))

    for knob in conf.KNOBS.values():
        assert f'name="{knob.name}"' in html
        assert knob.help[1:40] in html.replace("&#x27;", "'")


def test_it_shows_what_holds_where_nothing_is_set(superuser: Client):
    queue.set_knob("max_retries", 8, now=NOW, by="tests")

    assert 'placeholder="8"' in text_of(get(superuser, "config/mail/change/"))
    assert 'placeholder="3"' in text_of(get(superuser, "config/*/change/"))


def test_it_previews_the_retries_without_saving(superuser: Client):
    html = text_of(post(superuser, "config/mail/change/", {"max_retries": "2", "backoff_base": "10", "preview": "yes"}))

    assert "nothing is saved yet" in html
    assert "1m40s" in html
    assert "1m50s" in html
    assert "never: Dead Letter Queue" in html
    assert not Config.objects.exists()


def test_it_previews_every_attempt_with_its_wait_and_the_time_so_far():
    rows = preview(Policy(max_retries=3, backoff_base=2, backoff_max_seconds=3_600, jitter=0))

    assert [(row.attempt, row.wait, row.total) for row in rows] == [
        (1, "2.0s", "2.0s"),
        (2, "4.0s", "6.0s"),
        (3, "8.0s", "14s"),
        (4, None, "14s"),
    ]


def test_it_leaves_out_the_middle_of_a_long_story():
    rows = preview(Policy(max_retries=1_000, backoff_base=1_000, backoff_max_seconds=60, jitter=0))

    assert [row.attempt for row in rows] == [*range(1, 11), 1_001]
    assert rows[-1].is_after_gap
    assert rows[-1].total == "16h40m"


def test_it_asks_for_a_queue_and_stores_nothing_until_something_is_set(superuser: Client):
    response = post(superuser, "config/add/", {"queue": "new/queue"})

    assert response.headers["Location"] == "/admin/jobs/config/new_2Fqueue/change/"
    assert superuser.get(response.headers["Location"]).status_code == 200
    assert not Config.objects.exists()


@pytest.mark.parametrize("name", ["", "*", "a b", "-x", "x" * 65, "a\u200bb"])
def test_it_refuses_a_name_that_no_queue_can_have(superuser: Client, name):
    assert post(superuser, "config/add/", {"queue": name}).status_code == 200
    assert not Config.objects.exists()


@pytest.mark.parametrize("path", ["config/a b/change/", "config/*/pause/", "config/*/resume/", "config/-x/pause/"])
def test_it_has_no_page_for_such_a_name(superuser: Client, path):
    assert get(superuser, path).status_code == 404
    assert post(superuser, path, confirmed(max_retries="1")).status_code == 404
    assert not Config.objects.exists()


def test_it_lets_a_viewer_look_and_not_touch(login: Login):
    viewer = login("view_config")

    html = text_of(get(viewer, "config/mail/change/"))

    assert html.count("disabled") >= len(conf.KNOBS)
    assert 'name="save"' not in html
    assert post(viewer, "config/mail/change/", {"max_retries": "1"}).status_code == 403


def test_it_lists_queues_that_live_by_the_defaults(superuser: Client):
    make_job(queue="quiet")

    assert 'href="/admin/jobs/config/quiet/change/">quiet</a>' in text_of(get(superuser, "config/"))


def test_it_shows_own_values_apart_from_inherited_ones(superuser: Client):
    Config.objects.create(queue="mail", max_retries=7)

    html = text_of(get(superuser, "config/"))

    assert '<span class="qc-number">7</span>' in html
    assert '<span class="qc-number qc-inherited" title="not set here">1h</span>' in html


def test_it_pauses_a_queue_with_a_reason_and_an_end(superuser: Client):
    assert "No more of its jobs are started" in text_of(get(superuser, "config/mail/pause/"))

    response = post(superuser, "config/mail/pause/", confirmed(reason="on fire", duration="1h"))

    row = Config.objects.get(queue="mail")
    assert row.paused_at is not None
    assert row.paused_until == row.paused_at + timedelta(hours=1)
    assert row.paused_reason == "on fire"
    assert messages_of(response) == ["Queue mail is paused."]
    assert LogEntry.objects.get().change_message.startswith("paused until ")
    html = text_of(get(superuser, "config/"))
    assert "paused</span>" in html
    assert "on fire" in html


@pytest.mark.parametrize("duration", ["x", "-1h", "0", "9999d"])
def test_it_refuses_a_pause_of_no_length(superuser: Client, duration):
    response = post(superuser, "config/mail/pause/", confirmed(duration=duration))

    assert "must be a duration such as" in text_of(response)
    assert not Config.objects.exists()


def test_a_question_that_is_answered_twice_pauses_the_queue_once(superuser: Client):
    asked = text_of(get(superuser, "config/mail/pause/"))
    seen_at = asked.split('name="seen_at" value="')[1].split('"')[0]

    for _ in range(2):
        post(superuser, "config/mail/pause/", confirmed(reason="on fire") | {"seen_at": seen_at})

    assert LogEntry.objects.count() == 1


def test_it_tells_who_paused_a_queue(superuser: Client):
    post(superuser, "config/mail/pause/", confirmed(reason="on fire"))

    for path in ("config/", "config/mail/change/", "config/mail/resume/", "dashboard/"):
        html = text_of(get(superuser, path))
        assert "by root (admin)" in html, path
        assert "on fire" in html, path


def test_it_tells_who_changed_what_newest_first(superuser: Client):
    queue.set_knob("timeout", 60, queue="mail", by="deploy@web1", now=NOW)
    queue.set_knob("timeout", 5, by="deploy@web2", now=NOW)
    post(superuser, "config/mail/change/", {"timeout": "90s"})
    post(superuser, "config/mail/pause/", confirmed(reason="on fire"))

    html = text_of(get(superuser, "config/mail/change/"))

    places = [html.index(text) for text in ("paused: on fire", "timeout: 1m → 1m30s", "timeout: not set → 1m")]
    assert places == sorted(places)
    assert html.count("root (admin)") == 3
    assert "deploy@web1" in html
    assert "deploy@web2" not in html
    assert "deploy@web2" in text_of(get(superuser, "config/*/change/"))
    assert "Nothing was changed here yet." in text_of(get(superuser, "config/other/change/"))


def test_it_tells_the_newest_of_a_long_history_and_how_to_see_the_rest(superuser: Client):
    for number in range(CHANGES_SHOWN + 1):
        queue.set_knob("timeout", number, queue="a&b", by="script", now=NOW)

    html = text_of(get(superuser, "config/a&b/change/"))

    assert html.count(">script</td>") == CHANGES_SHOWN
    assert "queuectl config history --queue &#x27;a&amp;b&#x27; --limit 1000" in html


def test_it_keeps_the_audit_of_the_admin_beside_the_history(superuser: Client):
    post(superuser, "config/mail/change/", {"timeout": "90s"})
    post(superuser, "config/mail/pause/", confirmed())
    post(superuser, "config/mail/resume/", confirmed())

    assert LogEntry.objects.count() == 3
    assert ConfigChange.objects.filter(changed_by="root (admin)").count() == 3


def test_it_resumes_a_paused_queue_once(superuser: Client):
    Config.objects.create(queue="mail", paused_at=NOW)
    assert "Its waiting jobs are started again" in text_of(get(superuser, "config/mail/resume/"))

    post(superuser, "config/mail/resume/", confirmed())
    again = post(superuser, "config/mail/resume/", confirmed())

    assert Config.objects.get(queue="mail").paused_at is None
    assert messages_of(again)[-1] == "queue mail is not paused"
    assert LogEntry.objects.count() == 1
    assert "it is not paused" in text_of(get(superuser, "config/mail/resume/"))


def test_it_offers_the_one_of_pause_and_resume_that_applies(superuser: Client):
    Config.objects.create(queue="paused", paused_at=NOW)
    Config.objects.create(queue="over", paused_at=NOW, paused_until=timezone.now() - timedelta(hours=1))

    assert "/paused/resume/" in text_of(get(superuser, "config/paused/change/"))
    assert "/over/pause/" in text_of(get(superuser, "config/over/change/"))
    assert Job.objects.count() == 0
