"""The reader of a long run: a process that opens the admin's pages, one every two seconds, until it is killed."""

import itertools
import time

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - Django must be set up
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from jobs import stats  # noqa: E402

PAUSE_SECONDS = 2.0
LISTS = (
    reverse("admin:jobs_dashboard_changelist"),
    reverse("admin:jobs_job_changelist"),
    reverse("admin:jobs_job_changelist") + "?state=completed",
    reverse("admin:jobs_deadjob_changelist"),
    reverse("admin:jobs_supervisor_changelist"),
)


def main() -> None:
    client = Client()
    user, _ = User.objects.get_or_create(username="reader", is_staff=True, is_superuser=True)
    client.force_login(user)
    for page in itertools.cycle(LISTS):
        _open(client, page)
        newest = stats.newest_jobs(limit=1)
        if newest:
            _open(client, reverse("admin:jobs_job_change", args=[newest[0].pk]))
        time.sleep(PAUSE_SECONDS)


def _open(client: Client, page: str) -> None:
    """Raise ValueError if the page is not shown. A job may have been deleted meanwhile: it leads to another page."""
    status = client.get(page).status_code
    if status not in (200, 302):
        raise ValueError(f"{page} answered {status}")


if __name__ == "__main__":
    main()
