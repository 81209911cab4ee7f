"""A job's page: facts, why it waits, timeline, attempts and output."""

from datetime import timedelta

import pytest
from django.db.models.expressions import RawSQL
from django.test import Client
from django.utils import timezone

from jobs.models import Attempt, Config, Job
from jobs.states import Kind, State
from tests.admin.conftest import VIEW, Login
from tests.admin.pages import get, make_rows, text_of
from tests.clock import NOW, after
from tests.factories import make_job

pytestmark = pytest.mark.django_db


def make_attempts(job_id: str, number: int) -> None:
    Attempt.objects.bulk_create(
        Attempt(
            job_id=job_id,
            fence=n,
            number=n,
            host="host1",
            pid=n,
            started_at=after(seconds=n * 10),
            finished_at=after(seconds=n * 10 + 2),
            run_seconds=2.0,
            outcome="failed",
            exit_code=3,
            error="exit code 3",
            output_head=f"printed by {n}\n",
        )
        for n in range(1, number + 1)
    )


@pytest.mark.parametrize(("text", "shown"), [("{", "(no JSON)"), ("[1]", "1\n]"), ("5", "5")])
def test_it_shows_a_row_that_somebody_wrote_by_hand(superuser: Client, text, shown):
    make_job()
    make_job(id="task1", kind=Kind.TASK, command=None, task="a.b")
    Job.objects.update(env=RawSQL("%s", [text]), args=RawSQL("%s", [text]), kwargs=RawSQL("%s", [text]))

    for id_ in ("job1", "task1"):
        assert shown in text_of(get(superuser, f"job/{id_}/change/"))
    assert "job1" in text_of(get(superuser, "job/"))


def test_it_hides_what_sounds_secret(superuser: Client):
    make_rows()
    make_job(
        id="task1", kind=Kind.TASK, task="a.b", command=None, args=[{"password": "s3cret"}], kwargs={"api_key": "k3y"}
    )

    shell, task = text_of(get(superuser, "job/dead1/change/")), text_of(get(superuser, "job/task1/change/"))

    assert "API_TOKEN=********" in shell
    assert "hunter2" not in shell
    assert "s3cret" not in task
    assert "k3y" not in task


@pytest.mark.parametrize(("id_", "seconds"), [("running1", "2"), ("waiting1", "5"), ("done1", ""), ("dead1", "")])
def test_it_keeps_itself_up_to_date_as_long_as_the_job_may_change(superuser: Client, id_: str, seconds: str):
    make_rows()

    html = text_of(get(superuser, f"job/{id_}/change/"))

    assert f'data-qc-live="{seconds}"' in html
    assert "jobs/live.js" in html
    for region in ("state", "as-of", "why", "facts", "events", "attempts", "output"):
        assert html.count(f'data-qc-region="{region}"') == 1


def test_it_tells_why_a_job_waits_and_the_command_that_helps(superuser: Client):
    make_job(id="waiting")

    html = text_of(get(superuser, "job/waiting/change/"))

    assert "Why is it waiting?" in html
    assert "No worker is running." in html
    assert "queuectl worker start" in html


def test_it_tells_a_jobs_life_in_order(superuser: Client):
    make_job(id="dead", state=State.DEAD, attempts=2, fence=2, finished_at=after(seconds=30))
    make_attempts("dead", 2)

    html = text_of(get(superuser, "job/dead/change/"))

    life = (
        "Enqueued in queue default.",
        "Attempt 1 started on host1, process 1.",
        "Attempt 1 ended after 2.0s: failed with exit code 3.",
        "Attempt 2 started",
        "Attempt 2 ended",
        "Gave up: moved to the Dead Letter Queue.",
    )
    assert [html.index(event) for event in life] == sorted(html.index(event) for event in life)


def test_it_tells_when_the_next_attempt_is_due(superuser: Client):
    make_job(id="failed", state=State.FAILED, run_at=timezone.now() + timedelta(minutes=3))

    html = text_of(get(superuser, "job/failed/change/"))

    assert '<li class="qc-ahead">' in html
    assert "Attempt 2 is due." in html


def test_it_shows_the_newest_attempts_and_a_way_to_the_others(superuser: Client):
    make_job(id="dead", state=State.DEAD, attempts=45, fence=45)
    make_attempts("dead", 45)

    newest, oldest = text_of(get(superuser, "job/dead/change/")), text_of(get(superuser, "job/dead/change/?before=6"))

    assert "output of attempt 45" in newest
    assert "output of attempt 25" not in newest
    assert "?before=26" in newest
    assert "output of attempt 5" in oldest
    assert "Older attempts" not in oldest


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 40, "²"])
def test_it_takes_any_page_of_attempts(superuser: Client, before):
    make_rows()

    assert superuser.get("/admin/jobs/job/dead1/change/", {"before": before}).status_code == 200


def test_it_shows_output_only_with_its_own_permission(superuser: Client, login: Login):
    make_rows()

    assert "printed" in text_of(get(superuser, "job/dead1/change/"))
    assert "printed" not in text_of(get(login(*VIEW), "job/dead1/change/"))


def test_it_says_where_output_was_dropped(superuser: Client):
    make_rows()
    Attempt.objects.update(output_tail="the end", output_dropped_bytes=99)

    assert "… 99 bytes dropped …" in text_of(get(superuser, "job/dead1/output/1/"))


def test_it_hands_output_out_as_a_file_and_never_as_a_page(superuser: Client):
    make_rows()
    Attempt.objects.update(
        output_head="<script>\x1b[31m\udc80".encode(errors="replace").decode(), traceback="Traceback: x"
    )

    response = get(superuser, "job/dead1/output/1/?download=1")

    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="dead1-1.txt"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert text_of(response).startswith("<script>\x1b[31m")


def test_it_finds_no_output_that_is_not_there(superuser: Client):
    make_rows()
    make_job(id="other")

    assert get(superuser, "job/dead1/output/2/").status_code == 404
    assert get(superuser, "job/other/output/1/").status_code == 404
    assert get(superuser, "job/gone/output/1/").status_code == 404
    assert get(superuser, "deadjob/other/output/1/").status_code == 404


def test_it_shows_what_a_task_returned(superuser: Client):
    make_job(
        id="sum", kind=Kind.TASK, task="a.tasks.b", state=State.COMPLETED, return_value={"total": 42, "token": "x"}
    )
    html = text_of(get(superuser, "job/sum/change/"))
    assert "Return value" in html
    assert "42" in html
    assert "token&quot;: &quot;********" in html


def test_it_shows_a_running_attempt_with_what_it_printed_so_far(superuser: Client):
    make_job(id="running", state=State.PROCESSING)
    Attempt.objects.create(
        job_id="running", fence=1, number=1, host="h", pid=9, started_at=NOW, output_head="half way\n"
    )

    html = text_of(get(superuser, "job/running/change/"))

    assert "Output of attempt 1 so far" in html
    assert "half way" in html
    assert "What is it doing?" in html


@pytest.mark.parametrize("id_", ["a/b", "add", "requeue", "ü", "x" * 64, "a?b&c=d#e", "_2F", "%41", "change", "1:2"])
def test_it_has_a_page_for_every_id_there_can_be(superuser: Client, id_):
    make_job(id=id_, state=State.DEAD)
    Attempt.objects.create(
        job_id=id_, fence=1, number=1, host="h", started_at=NOW, outcome="failed", output_head="printed"
    )

    html = text_of(get(superuser, "job/"))
    link = html.split('<th class="field-id"><a href="', 1)[1].split('"', 1)[0]
    page = text_of(superuser.get(link))  # type: ignore[arg-type]
    output = page.split('<a href="/admin/jobs/job/', 1)[1] if "output of attempt 1" in page else ""

    assert "What it runs" in page
    assert output
    requeue = next(
        part.split('"', 1)[0] for part in page.split('<a class="qc-button" href="')[1:] if "/requeue/" in part[:60]
    )
    assert f"Requeue {id_}?".replace("&", "&amp;") in text_of(superuser.get(requeue.replace("&amp;", "&")))  # type: ignore[arg-type]


def test_it_leads_to_the_list_for_a_job_that_is_gone(superuser: Client):
    assert get(superuser, "job/gone/change/").status_code == 302
    assert get(superuser, "job/gone/settings/").status_code == 404


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({}, "3 ** n seconds, at most 1h (as set for queue default)"),
        ({"backoff_max_seconds": 90.0}, "3 ** n seconds, at most 1m30s (partly its own)"),
        ({"backoff_base": 0.0}, "0 ** n seconds, at most 1h (partly its own)"),
        ({"backoff_base": 1.5, "backoff_max_seconds": 90.0}, "1.5 ** n seconds, at most 1m30s (its own)"),
    ],
)
def test_it_shows_the_backoff_that_holds(superuser: Client, own, words):
    Config.objects.create(queue="default", backoff_base=3.0)
    make_job(**own)

    assert words in text_of(get(superuser, "job/job1/change/"))


def test_it_offers_the_verbs_that_apply_now(superuser: Client):
    make_rows()

    dead, running = text_of(get(superuser, "job/dead1/change/")), text_of(get(superuser, "job/running1/change/"))

    assert "requeue/?job=dead1" in dead
    assert "cancel/?job=dead1" not in dead
    assert "cancel/?job=running1" in running
    assert "delete/?job=running1" not in running
    assert "/settings/" in dead
    assert "/settings/" not in running
