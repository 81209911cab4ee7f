"""Every page and every change the queue's admin offers, as a crafted request would reach them."""

import json
from typing import Any

from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client
from django.utils.html import conditional_escape, strip_tags

from jobs.models import Attempt, Config, ConfigChange, Job, Supervisor, Undo
from jobs.states import State
from tests.clock import NOW, after
from tests.factories import make_job, make_supervisor

SEEN_AT = "2126-01-01T00:00:00Z"  # whatever there is was there when the page was shown

# The path of each page, and what is needed to see it.
PAGES: dict[str, set[str]] = {
    "job/": {"view_job"},
    "job/?state=dead&queue=default&kind=shell&window=24h&q=dead": {"view_job"},
    "job/dead1/change/": {"view_job"},
    "job/dead1/history/": {"view_job"},
    "job/dead1/output/1/": {"view_job", "view_output"},
    "job/dead1/output/1/?download=1": {"view_job", "view_output"},
    "job/waiting1/settings/": {"view_job", "change_retry"},
    "job/dead1/settings/": {"view_job", "change_retry", "requeue_job"},
    "job/requeue/": {"view_job", "requeue_job"},
    "job/requeue/?job=dead1": {"view_job", "requeue_job"},
    "job/requeue/undo/?undo=x": {"view_job", "requeue_job"},
    "job/cancel/undo/?undo=x": {"view_job", "cancel_job"},
    "job/run_now/": {"view_job", "requeue_job"},
    "job/run_now/?job=later1": {"view_job", "requeue_job"},
    "job/cancel/": {"view_job", "cancel_job"},
    "job/cancel/?job=waiting1": {"view_job", "cancel_job"},
    "job/delete/": {"view_job", "delete_job"},
    "job/delete/?job=dead1": {"view_job", "delete_job"},
    "job/enqueue/": {"view_job", "enqueue_job"},
    "job/enqueue/command/backup/": {"view_job", "enqueue_job"},
    "job/enqueue/task/tests.shop.tasks.send_5Freceipt/": {"view_job", "enqueue_job"},
    "deadjob/": {"view_deadjob"},
    "deadjob/dead1/change/": {"view_deadjob"},
    "deadjob/dead1/settings/": {"view_deadjob", "change_retry", "requeue_job"},
    "deadjob/dead1/output/1/": {"view_deadjob", "view_output"},
    "deadjob/requeue/": {"view_deadjob", "requeue_job"},
    "deadjob/requeue/undo/": {"view_deadjob", "requeue_job"},
    "deadjob/discard/": {"view_deadjob", "delete_job"},
    "deadjob/discard/?job=dead1": {"view_deadjob", "delete_job"},
    "config/": {"view_config"},
    "config/add/": {"change_config"},
    "config/*/change/": {"view_config"},
    "config/mail/change/": {"view_config"},
    "config/mail/history/": {"view_config"},
    "config/mail/pause/": {"view_config", "pause_queue"},
    "config/mail/resume/": {"view_config", "pause_queue"},
    "dashboard/": {"view_dashboard"},
    "dashboard/?window=7d": {"view_dashboard"},
    "supervisor/": {"view_supervisor"},
    "supervisor/1/change/": {"view_supervisor"},
    "supervisor/1/history/": {"view_supervisor"},
    "supervisor/stop/": {"view_supervisor", "stop_supervisor"},
    "supervisor/stop/?supervisor=1": {"view_supervisor", "stop_supervisor"},
}

# Addresses that Django has for every list, and that are closed to everybody here, superusers included.
CLOSED = (
    "job/add/",
    "deadjob/add/",
    "supervisor/add/",
    "supervisor/1/delete/",
    "config/mail/delete/",
    "dashboard/add/",
)

# Addresses that show nothing and change nothing, but lead to one of the pages above, which decides.
LEADS = {
    "job/dead1/": "job/dead1/change/",
    "job/dead1/delete/": "job/delete/?job=dead1",
    "deadjob/dead1/": "deadjob/dead1/change/",
    "deadjob/dead1/delete/": "deadjob/discard/?job=dead1",
    "deadjob/dead1/history/": "job/dead1/history/",
    "config/mail/": "config/mail/change/",
    "supervisor/1/": "supervisor/1/change/",
    "dashboard/1/": "dashboard/1/change/",
}

# Addresses of rows that are no rows: the dashboard has none.
NOWHERE = ("dashboard/1/change/", "dashboard/1/delete/", "dashboard/1/history/")

# What a list offers for the rows that are ticked, and what is needed to be offered it. Each asks before it does it.
ACTIONS: dict[tuple[str, str], set[str]] = {
    ("job/", "requeue"): {"view_job", "requeue_job"},
    ("job/", "run_now"): {"view_job", "requeue_job"},
    ("job/", "cancel"): {"view_job", "cancel_job"},
    ("job/", "delete_selected"): {"view_job", "delete_job"},
    ("deadjob/", "requeue"): {"view_deadjob", "requeue_job"},
    ("deadjob/", "delete_selected"): {"view_deadjob", "delete_job"},
    ("supervisor/", "stop"): {"view_supervisor", "stop_supervisor"},
}


def confirmed(**fields: Any) -> dict[str, Any]:
    return {"confirmed": "yes", "seen_at": SEEN_AT, **fields}


def settings(**fields: str) -> dict[str, Any]:
    """Return what the page of a job's settings posts; by default of a waiting job that never ran, as it is."""
    shown = {"queue": "default", "priority": "0"}
    empty = dict.fromkeys(("run_at", "max_retries", "backoff_base", "backoff_max", "timeout"), "")
    initial = {f"initial-{name}": value for name, value in (shown | empty).items()}
    return {"way": "save", "fence": "0", **initial, **shown, **empty, **fields}


NEW_ID = "01900000-0000-7000-8000-000000000001"  # as the page of a form makes one

# Every request that changes something: its path, what it posts, and what is needed for it.
CHANGES: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "requeue": ("job/requeue/", confirmed(ids=json.dumps(["dead1"])), {"view_job", "requeue_job"}),
    "requeue all": ("job/requeue/?state=dead", confirmed(), {"view_job", "requeue_job"}),
    "run now": ("job/run_now/?job=later1", confirmed(), {"view_job", "requeue_job"}),
    "cancel": ("job/cancel/?job=waiting1", confirmed(), {"view_job", "cancel_job"}),
    "delete": ("job/delete/?job=dead1", confirmed(), {"view_job", "delete_job"}),
    "requeue dead": ("deadjob/requeue/", confirmed(ids=json.dumps(["dead1"])), {"view_deadjob", "requeue_job"}),
    "discard": ("deadjob/discard/?job=dead1", confirmed(), {"view_deadjob", "delete_job"}),
    "retry settings": (
        "job/waiting1/settings/",
        settings(queue="other", priority="5"),
        {"view_job", "change_retry"},
    ),
    "settings and requeue": (
        "job/dead1/settings/",
        settings(way="requeue", fence="1", priority="5"),
        {"view_job", "change_retry", "requeue_job"},
    ),
    "dead settings and requeue": (
        "deadjob/dead1/settings/",
        settings(way="requeue", fence="1"),
        {"view_deadjob", "change_retry", "requeue_job"},
    ),
    "enqueue a command": (
        "job/enqueue/command/backup/",
        {"id": NEW_ID, "set_table": "users", "set_days": "7"},
        {"view_job", "enqueue_job"},
    ),
    "enqueue a task": (
        "job/enqueue/task/tests.shop.tasks.send_5Freceipt/",
        {"id": NEW_ID, "args": "[42]"},
        {"view_job", "enqueue_job"},
    ),
    "knobs": ("config/mail/change/", {"max_retries": "9"}, {"change_config"}),
    "pause": ("config/mail/pause/", confirmed(reason="x"), {"view_config", "pause_queue"}),
    "resume": ("config/paused/resume/", confirmed(), {"view_config", "pause_queue"}),
    "stop": ("supervisor/stop/?supervisor=1", confirmed(), {"view_supervisor", "stop_supervisor"}),
}


def make_rows() -> None:
    """Store one row of everything the pages above speak of."""
    supervisor = make_supervisor(id=1, workers=[{"pid": 5, "jobs": ["running1"], "rss_bytes": 1_000_000}])
    make_job(id="running1", state=State.PROCESSING, supervisor=supervisor)
    make_job(id="waiting1", state=State.PENDING)
    make_job(id="later1", state=State.SCHEDULED, run_at=after(seconds=1e9))
    make_job(id="done1", state=State.COMPLETED, started_at=NOW, exit_code=0)
    make_job(id="dead1", state=State.DEAD, error="exit code 1", env={"API_TOKEN": "hunter2"}, cwd="/srv")
    Attempt.objects.create(
        job_id="dead1",
        fence=1,
        number=1,
        host="host1",
        pid=7,
        started_at=NOW,
        finished_at=NOW,
        run_seconds=1.0,
        outcome="failed",
        exit_code=1,
        error="exit code 1",
        output_head="printed\n",
    )
    Config.objects.create(queue="mail", max_retries=5)
    Config.objects.create(queue="paused", paused_at=NOW, paused_reason="because")


def everything() -> list[Any]:
    """Return all that the admin could change, to be compared."""
    models: tuple[Any, ...] = (Job, Attempt, Config, ConfigChange, Supervisor, Undo, LogEntry)
    return [list(model.objects.order_by("pk").values()) for model in models]


def get(client: Client, path: str) -> HttpResponse:
    response: HttpResponse = client.get(f"/admin/jobs/{path}")  # type: ignore[assignment]
    return response


def post(client: Client, path: str, data: dict[str, Any]) -> HttpResponse:
    response: HttpResponse = client.post(f"/admin/jobs/{path}", data)  # type: ignore[assignment]
    return response


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def messages_of(response: HttpResponse) -> list[str]:
    """Return what the person is told, without following the redirect, and without its markup."""
    return [strip_tags(text) for text in markup_of(response)]


def markup_of(response: HttpResponse) -> list[str]:
    """Return what the person is told, as it is put into the page."""
    request: Any = response.wsgi_request  # type: ignore[attr-defined]
    return [conditional_escape(str(message)) for message in request._messages]
