"""The list of workers, and asking them to stop."""

import json
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from jobs.models import Supervisor
from tests.admin.pages import confirmed, get, messages_of, post, text_of
from tests.clock import NOW
from tests.factories import make_supervisor

pytestmark = pytest.mark.django_db


def make(number: int, **fields) -> Supervisor:
    return make_supervisor(id=number, marker=f"m{number}", pid=4_000 + number, **fields)


def asked() -> set[int]:
    return set(Supervisor.objects.filter(stop_requested_at__isnull=False).values_list("pk", flat=True))


def test_it_tells_who_is_alive_late_gone_or_stopped(superuser: Client):
    now = timezone.now()
    make(1, heartbeat_at=now)
    make(2, heartbeat_at=now - timedelta(seconds=40))
    make(3, heartbeat_at=now - timedelta(hours=1))
    make(4, stopped_at=NOW)

    html = text_of(get(superuser, "supervisor/"))

    for liveness in ("alive", "late", "gone", "stopped"):
        assert f"qc-{liveness}" in html


def test_it_shows_queues_workers_and_links_to_running_jobs(superuser: Client):
    workers = [{"pid": 7, "jobs": [f"a/{n}" for n in range(7)], "rss_bytes": 50_000_000}]
    make(1, queues=["mail", "print"], worker_count=2, thread_count=4, workers=workers, completed_count=12_345)

    html, page = text_of(get(superuser, "supervisor/")), text_of(get(superuser, "supervisor/1/change/"))

    assert all(text in html for text in ("mail, print", "2 × 4", "12,345", '/admin/jobs/job/a_2F4/change/">a/4</a> …'))
    assert "47.7" in page.replace("\xa0", " ")


@pytest.mark.parametrize("workers", [[], [{}], [{"pid": None, "jobs": None, "rss_bytes": None}]])
def test_it_shows_what_an_older_or_newer_supervisor_wrote(superuser: Client, workers):
    make(1, workers=workers)

    assert get(superuser, "supervisor/1/change/").status_code == 200


def test_it_asks_before_it_asks_them_to_stop(superuser: Client):
    make(1)
    make(2)

    ticked = {"action": "stop", "index": "0", "_selected_action": ["1"]}
    html = text_of(post(superuser, "supervisor/", ticked))

    assert "Stop 1 supervisor?" in html
    assert "host1:4001" in html
    assert "They claim nothing new" in html
    assert asked() == set()


def test_it_asks_those_that_were_named_to_stop(superuser: Client):
    make(1)
    make(2)

    response = post(superuser, "supervisor/stop/", confirmed(ids=json.dumps([1])))

    assert asked() == {1}
    assert messages_of(response) == ["1 supervisor was asked to stop."]
    assert LogEntry.objects.get().change_message == "asked to stop"


def test_it_asks_all_that_run_to_stop(superuser: Client):
    make(1)
    make(2)
    make(3, stopped_at=NOW)
    make(4, lost_at=NOW)
    across = {"action": "stop", "index": "0", "_selected_action": ["1"], "select_across": "1"}

    assert "Stop 2 supervisors?" in text_of(post(superuser, "supervisor/", across))
    post(superuser, "supervisor/stop/", confirmed())

    assert asked() == {1, 2}


def test_it_does_nothing_at_the_second_click(superuser: Client):
    make(1, stop_requested_at=NOW)

    response = post(superuser, "supervisor/stop/?supervisor=1", confirmed())

    assert "There was nothing to do" in messages_of(response)[0]
    assert Supervisor.objects.get().stop_requested_at == NOW
    assert not LogEntry.objects.exists()
    assert "There is nothing to do" in text_of(get(superuser, "supervisor/stop/?supervisor=1"))


@pytest.mark.parametrize("ids", ["", "x", "{}", '["x"]', "[null]", "[Infinity]", "[" * 100_000])
def test_it_refuses_ids_that_are_none(superuser: Client, ids):
    make(1)

    assert post(superuser, "supervisor/stop/", confirmed(ids=ids)).status_code == 400
    assert asked() == set()


def test_it_takes_numbers_that_no_supervisor_can_have(superuser: Client):
    assert get(superuser, f"supervisor/stop/?supervisor={10**30}").status_code == 200
    assert get(superuser, "supervisor/stop/?supervisor=x").status_code == 400
