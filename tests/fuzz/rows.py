"""Rows for every command and page to be about, and all rows there are, to see that none has changed."""

from typing import Any

from django.apps import apps

from jobs.models import Attempt, Config
from jobs.states import State
from tests.clock import NOW, after
from tests.factories import make_job, make_supervisor


def make_rows() -> None:
    supervisor = make_supervisor(id=1, workers=[{"pid": 5, "jobs": ["running1"], "rss_bytes": 1_000_000}])
    make_job(id="job1")
    make_job(id="running1", state=State.PROCESSING, supervisor=supervisor)
    make_job(id="scheduled1", state=State.SCHEDULED, run_at=after(seconds=1e9))
    make_job(id="done1", state=State.COMPLETED)
    make_job(id="dead1", state=State.DEAD, error="exit code 1", queue="mail")
    Attempt.objects.create(job_id="dead1", fence=1, number=1, host="host1", started_at=NOW, outcome="failed")
    Config.objects.create(queue="mail", max_retries=5, paused_at=NOW)


def everything() -> dict[str, Any]:
    """Return all rows of the queue, and of people and their log."""
    labels = ("jobs", "auth", "admin")
    models = [model for label in labels for model in apps.get_app_config(label).get_models() if not model._meta.proxy]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}
