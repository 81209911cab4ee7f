"""The filters beside the lists of jobs. None of them runs a query that grows with the number of jobs."""

# ruff: noqa: ARG002 - the arguments of these methods are Django's

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from jobs import clock, sql
from jobs.admin.printable import one_line
from jobs.database import connection
from jobs.models import ALL_QUEUES, Config, Counter, Job
from jobs.sql import conditions
from jobs.states import DEFERRED, FINAL, Kind, State

Choices = Iterable[tuple[str, Any]]
RECENT = timedelta(days=1)


def in_state(jobs: QuerySet[Job], state: str) -> QuerySet[Job]:
    """Return the jobs in `state`, asked for in the words that let the database use the index that holds just them."""
    if state in DEFERRED:
        return jobs.filter(conditions.DEFERRED, state=state)
    if state in FINAL - {State.DEAD}:
        return jobs.filter(conditions.DONE, state=state)
    return jobs.filter(state=state)


def queue_names(*, now: datetime) -> set[str]:
    """Return the queues that have settings, waiting jobs or a past day; the job table has no cheap list of them."""
    configured = Config.objects.exclude(queue=ALL_QUEUES).values_list("queue", flat=True)
    recent = Counter.objects.filter(minute__gte=now - RECENT).values_list("queue", flat=True).distinct()
    return {*configured, *recent, *sql.for_connection(connection).pending_queues(connection)}


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        return queryset if value is None else in_state(queryset, value)


class KindFilter(admin.SimpleListFilter):
    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return Kind.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        return queryset if value is None else queryset.filter(kind=value)


class QueueFilter(admin.SimpleListFilter):
    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        names = queue_names(now=clock.now())
        chosen = self.value()
        # A link may name a queue that nothing was heard of lately; it must still be shown as the filter it is.
        return [(name, name) for name in sorted(names | ({chosen} if chosen else set()))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        return queryset if value is None else queryset.filter(queue=value)


class ErrorFilter(admin.SimpleListFilter):
    """Shown only while it is set; the table of top errors sets it."""

    title = _("error")
    parameter_name = "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        value = self.value()
        return [] if value is None else [(value, one_line(value, 60) or _("no error"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(error=value) if value else queryset.filter(error__isnull=True)


WINDOWS: dict[str, tuple[Any, timedelta]] = {
    "15m": (_("last 15 minutes"), timedelta(minutes=15)),
    "1h": (_("last hour"), timedelta(hours=1)),
    "24h": (_("last 24 hours"), timedelta(hours=24)),
    "7d": (_("last 7 days"), timedelta(days=7)),
}


class WindowFilter(admin.SimpleListFilter):
    """A length of time up to now, by the column that the list is ordered by."""

    parameter_name = "window"
    column: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(key, words) for key, (words, _length) in WINDOWS.items()] + [("older", _("more than 7 days ago"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        return queryset if value is None else queryset.filter(**self._bounds(value, clock.now()))

    def _bounds(self, value: str, now: datetime) -> dict[str, datetime]:
        if value in WINDOWS:
            return {f"{self.column}__gte": now - WINDOWS[value][1]}
        return {f"{self.column}__lt": now - WINDOWS["7d"][1]} if value == "older" else {}


class EnqueuedFilter(WindowFilter):
    title = _("time enqueued")
    column = "enqueued_at"


class DiedFilter(WindowFilter):
    title = _("time it died")
    column = "finished_at"
