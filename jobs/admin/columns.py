"""The columns of the lists of jobs. One object serves one request: it knows the moment and, if asked, the settings."""

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Substr
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from jobs import queue
from jobs.admin import cells
from jobs.admin.printable import printable
from jobs.fields import AnyCharField
from jobs.models import Job
from jobs.states import DEFERRED, FINAL, Kind, State

# What can be large stays in the database; a list shows how it begins.
LARGE = ("command", "cwd", "env", "args", "kwargs", "error", "return_value", "signature")
START_CHARACTERS = cells.TITLE_CHARACTERS_MAX + 1  # one more, so that a cut is seen to be one
WHAT_CHARACTERS, ERROR_CHARACTERS = 80, 80
LATE_SECONDS = 60  # a job that has been due for longer than this is waiting noticeably


class Starts(TypedDict):
    command_start: str | None
    error_start: str | None


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    Listed: TypeAlias = WithAnnotations[Job, Starts]
else:
    Listed = Job


def listed(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Return the same jobs without their large columns."""
    starts = {
        f"{name}_start": Substr(name, 1, START_CHARACTERS, output_field=AnyCharField()) for name in ("command", "error")
    }
    return jobs.defer(*LARGE).annotate(**starts)


class Columns:
    def __init__(self, *, now: datetime) -> None:
        self.now = now

    @cached_property
    def policies(self) -> queue.Policies:
        return queue.load_policies(now=self.now)

    @admin.display(description=_("what"))
    def what(self, job: Listed) -> SafeString:
        what = cells.code(job.command_start if job.kind == Kind.SHELL else job.task, WHAT_CHARACTERS)
        return format_html('{}<span class="qc-second">{} · {}</span>', what, cells.kind(job.kind), printable(job.queue))

    @admin.display(description=_("what"))
    def what_and_error(self, job: Listed) -> SafeString:
        if not job.error_start:
            return self.what(job)
        error = cells.line(job.error_start, ERROR_CHARACTERS)
        return format_html('{}<span class="qc-second qc-error">{}</span>', self.what(job), error)

    @admin.display(description=_("state"))
    def state(self, job: Listed) -> SafeString:
        badge = cells.state(job.state)
        if job.state == State.PROCESSING and job.cancel_requested_at is not None:
            return format_html('{} <span class="qc-note">{}</span>', badge, _t("asked to stop"))
        return badge

    @admin.display(description=_("attempts"))
    def attempts(self, job: Listed) -> SafeString:
        retries = job.max_retries
        if retries is None:
            retries = int(self.policies.value("max_retries", job.queue))
        return cells.count_of(job.attempts, retries + 1)

    @admin.display(description=_("when"))
    def when(self, job: Listed) -> SafeString:
        """Tell the moment that matters most in this state, and how long the latest attempt took or has been running."""
        seconds = self._ran_seconds(job)
        duration = "" if seconds is None else cells.duration(seconds)
        return format_html('{}<span class="qc-second">{}</span>', self._moment(job), duration)

    def _moment(self, job: Listed) -> SafeString:
        """Return when it ended, started, or may start."""
        if job.state in FINAL:
            return cells.moment(job.finished_at, now=self.now)
        if job.state == State.PROCESSING:
            return cells.moment(job.started_at or job.claimed_at, now=self.now)
        due = cells.moment(job.run_at, now=self.now)
        if job.state not in DEFERRED and (self.now - job.run_at).total_seconds() > LATE_SECONDS:
            return format_html('{} <span class="qc-note">{}</span>', due, _t("waiting"))
        return due

    def _ran_seconds(self, job: Listed) -> float | None:
        end = self.now if job.state == State.PROCESSING else job.finished_at
        if end is None or job.started_at is None or (job.outcome is None and job.state != State.PROCESSING):
            return None
        return (end - job.started_at).total_seconds()

    @admin.display(description=_("died"))
    def died(self, job: Listed) -> SafeString:
        return cells.moment(job.finished_at, now=self.now)

    @admin.display(description=_("why it died"))
    def why(self, job: Listed) -> SafeString:
        """Tell how the last attempt ended, and its error."""
        ending = cells.ending(job.outcome) if job.outcome else cells.NOTHING
        return format_html("{} {}", ending, cells.line(job.error_start, ERROR_CHARACTERS))
