"""A job that is enqueued within a transaction of a project: it runs after the commit, or never."""

import subprocess
import sys

from tests.e2e.databases import moment
from tests.e2e.site import CHECKOUT, Site

# Enqueues within a transaction, says so, and ends it as it is told.
PROGRAM = """
import sys
import django
django.setup()
from django.db import transaction
from django.utils import timezone
from jobs import new_job, queue
with transaction.atomic():
    now = timezone.now()
    queue.enqueue(new_job.from_fields({"id": "within", "command": "true"}, now=now), now=now)
    print("open", flush=True)
    if sys.stdin.readline() == "roll back\\n":
        transaction.set_rollback(True)
"""
OPEN_SECONDS = 1.5  # far longer than a worker takes to start a job that is there


def enqueue_within(site: Site, *, end: str) -> None:
    """Enqueue a job in a transaction that stays open for a while."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=CHECKOUT,
        env={**site.environment, "DJANGO_SETTINGS_MODULE": "queuectl_site.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "open\n"
        try:
            program.wait(OPEN_SECONDS)
        except subprocess.TimeoutExpired:
            program.communicate(f"{end}\n", timeout=30)
    assert program.returncode == 0


def test_it_runs_after_the_commit_and_not_before(site: Site) -> None:
    site.start("--count", "1")

    enqueue_within(site, end="commit")

    job = site.wait_for_state("within", "completed")
    (attempt,) = site.attempts("within")
    waited = moment(attempt["started_at"]) - moment(job["enqueued_at"])
    assert waited.total_seconds() >= OPEN_SECONDS


def test_it_never_runs_when_it_was_rolled_back(site: Site) -> None:
    site.start("--count", "1")

    enqueue_within(site, end="roll back")
    site.ok("enqueue", "--id", "after", "true")

    site.wait_for_state("after", "completed")
    assert site.states() == {"completed": 1}
    assert site.run("show", "within").returncode == 4
