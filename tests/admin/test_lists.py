"""The list of jobs: columns, filters, search, pages, and what an empty one says."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from jobs.admin import paging, search
from jobs.admin.paging import AtLeast, Count
from jobs.models import Config, Job
from jobs.states import Kind, State
from tests.admin.pages import get, text_of
from tests.factories import make_job

pytestmark = pytest.mark.django_db


def ids(client: Client, path: str) -> list[str]:
    """Return the ids on a list, in order."""
    response = get(client, path)
    assert response.status_code == 200
    return [job.pk for job in response.context["cl"].result_list]  # type: ignore[attr-defined]


@pytest.mark.parametrize("state", State)
def test_it_shows_a_job_in_every_state(superuser: Client, state):
    make_job(state=state)

    html = text_of(get(superuser, "job/"))

    assert f'<span class="qc-badge qc-{state}">' in html
    assert ids(superuser, f"job/?state={state}") == ["job1"]


def test_it_shows_what_is_run_cut_and_whole_in_the_title(superuser: Client):
    command = "backup " + "x" * 200
    make_job(command=command)

    html = text_of(get(superuser, "job/"))

    assert f'title="{command}"' in html
    assert f">{command[:80]}…</code>" in html


def test_it_counts_attempts_by_the_jobs_own_limit_its_queues_or_the_default(superuser: Client):
    Config.objects.create(queue="mail", max_retries=7)
    make_job(id="own", state=State.DEAD, max_retries=1, attempts=2, fence=2)
    make_job(id="queues", queue="mail")
    make_job(id="default")

    html = text_of(get(superuser, "job/"))

    assert all(text in html for text in (">2/2<", ">0/8<", ">0/4<"))


def test_it_tells_when_and_how_long(superuser: Client):
    now = timezone.now()
    start = now - timedelta(minutes=10)
    make_job(id="done", state=State.COMPLETED, started_at=start, finished_at=start + timedelta(seconds=95))
    make_job(id="soon", state=State.SCHEDULED, run_at=now + timedelta(hours=2, minutes=5, seconds=30))
    make_job(id="late", state=State.PENDING, run_at=now - timedelta(hours=1))

    html = text_of(get(superuser, "job/"))

    assert "1m35s" in html
    assert ">in 2h5m<" in html
    assert "waiting" in html


def test_it_filters_by_kind_queue_and_time(superuser: Client):
    now = timezone.now()
    make_job(id="a", enqueued_at=now - timedelta(minutes=1))
    make_job(id="b", enqueued_at=now - timedelta(hours=2), queue="mail")
    make_job(id="c", enqueued_at=now - timedelta(days=9), kind=Kind.TASK, task="app.tasks.send", command=None)

    assert ids(superuser, "job/?kind=task") == ["c"]
    assert ids(superuser, "job/?queue=mail") == ["b"]
    assert ids(superuser, "job/?window=1h") == ["a"]
    assert ids(superuser, "job/?window=24h") == ["a", "b"]
    assert ids(superuser, "job/?window=older") == ["c"]
    assert ids(superuser, "job/?queue=unheard-of") == []
    assert ids(superuser, "job/?state=nonsense") == []


def test_it_orders_the_newest_first_and_final_jobs_by_their_end(superuser: Client):
    now = timezone.now()
    make_job(id="a", state=State.DEAD, enqueued_at=now - timedelta(hours=3), finished_at=now)
    make_job(id="b", state=State.DEAD, enqueued_at=now - timedelta(hours=2), finished_at=now - timedelta(hours=1))

    assert ids(superuser, "job/") == ["b", "a"]
    assert ids(superuser, "job/?state=dead") == ["a", "b"]
    assert ids(superuser, "deadjob/") == ["a", "b"]


def test_it_finds_a_job_by_its_id_and_by_the_beginning_of_it(superuser: Client):
    make_job(id="nightly-1")
    make_job(id="nightly-2")
    make_job(id="other")

    assert ids(superuser, "job/?q=nightly-1") == ["nightly-1"]
    assert ids(superuser, "job/?q=nightly") == ["nightly-2", "nightly-1"]
    assert ids(superuser, "job/?q=ightly") == []


def test_it_searches_with_qualifiers(superuser: Client):
    make_job(id="a", queue="mail", state=State.DEAD, command="backup --all")
    make_job(id="b", queue="mail", command="backup --all")
    make_job(id="c", queue="mail", state=State.DEAD, command="restore")
    make_job(id="d", kind=Kind.TASK, task="app.tasks.send_mail", command=None)

    assert ids(superuser, "job/?q=queue:mail state:dead cmd:backup") == ["a"]
    assert ids(superuser, 'job/?q=cmd:"backup --a"') == ["b", "a"]
    assert ids(superuser, "job/?q=cmd:ackup") == []
    assert ids(superuser, "job/?q=task:send") == ids(superuser, "job/?q=task:app.tasks.send") == ["d"]
    assert ids(superuser, "job/?q=task:end") == []


@pytest.mark.parametrize(
    "text", ["%", "_", "'", '"', "cmd:%", "cmd:", ":", "id:", "\\", "state:nonsense", "cmd:'x", "é" * 999]
)
def test_it_takes_any_search_for_what_it_is(superuser: Client, text):
    make_job()

    response = superuser.get("/admin/jobs/job/", {"q": text})

    assert response.status_code == 200


def test_it_names_the_states_when_one_is_unknown(superuser: Client):
    assert "There is no state called nonsense" in text_of(get(superuser, "job/?q=state:nonsense"))


@pytest.mark.parametrize("text", ["a " * 1_100, "cmd:a " * 600, "task:a " * 21])
def test_it_searches_for_a_few_terms_and_says_how_many(superuser: Client, text):
    make_job(id="a", command="a")

    assert "A search has at most 20 terms" in text_of(superuser.get("/admin/jobs/job/", {"q": text}))  # type: ignore[arg-type]
    assert "There is nothing to do" in text_of(superuser.get("/admin/jobs/job/delete/", {"q": text}))  # type: ignore[arg-type]


def test_it_searches_commands_among_the_newest_only_and_says_so(superuser: Client, monkeypatch):
    monkeypatch.setattr(search, "NEWEST_SEARCHED", 2)
    now = timezone.now()
    for age in range(4):
        make_job(id=f"job{age}", enqueued_at=now - timedelta(minutes=age), command="backup")

    assert ids(superuser, "job/?q=cmd:backup") == ["job0", "job1"]
    assert "among the newest 2 jobs" in text_of(get(superuser, "job/?q=cmd:backup"))
    assert ids(superuser, "job/?q=job3") == ["job3"]


def test_it_stops_counting_and_says_that_there_is_more(superuser: Client, monkeypatch):
    monkeypatch.setattr(paging, "COUNT_MAX", 60)
    Job.objects.bulk_create(
        Job(
            id=f"job{n:03}",
            kind="shell",
            command="x",
            state="pending",
            run_at=timezone.now(),
            enqueued_at=timezone.now(),
        )
        for n in range(70)
    )

    html = text_of(get(superuser, "job/"))

    assert "60+ jobs" in html
    assert "There are 60+ jobs here" in html
    assert len(ids(superuser, "job/?p=2")) == 10


def test_it_pages_through_few_matches_as_through_many(superuser: Client):
    now = timezone.now()
    for n in range(55):
        make_job(id=f"job{n:03}", enqueued_at=now - timedelta(seconds=n))

    first, second = ids(superuser, "job/"), ids(superuser, "job/?p=2")

    assert first + second == [f"job{n:03}" for n in range(55)]
    assert ids(superuser, "job/?all=") == first + second


def test_it_shows_a_capped_count_as_one():
    assert str(AtLeast(paging.COUNT_MAX)) == "10,000+"
    assert str(Count(1_280)) == "1,280"


def test_it_leaves_the_separating_of_thousands_to_django_where_that_is_set(settings):
    settings.USE_THOUSAND_SEPARATOR = True

    assert str(AtLeast(10_000)) == "10000"


def test_it_says_what_to_do_when_there_is_nothing(superuser: Client):
    jobs, dead = text_of(get(superuser, "job/")), text_of(get(superuser, "deadjob/"))

    assert "No job was ever enqueued" in jobs
    assert "queuectl enqueue" in jobs
    assert "Nothing is dead." in dead
    assert "Start one from a terminal" in text_of(get(superuser, "supervisor/"))
    assert "every queue lives by the built-in defaults" in text_of(get(superuser, "config/"))


def test_it_says_what_to_do_when_nothing_matches(superuser: Client):
    make_job()

    html = text_of(get(superuser, "job/?state=dead"))

    assert "Nothing matches." in html
    assert "Show everything" in html
    assert "No job was ever enqueued" not in html


def test_it_shows_times_in_the_sites_zone(superuser: Client, settings):
    make_job(state=State.COMPLETED)
    settings.TIME_ZONE = "Asia/Tokyo"

    html = text_of(get(superuser, "job/"))

    assert "2026-01-02 12:04:05 JST" in html
    assert "are in Asia/Tokyo" in html
