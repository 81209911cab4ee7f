"""The dashboard: how the queue is, on one page. Every number comes from `stats`, at a cost that does not grow."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from jobs import clock, moments, stats
from jobs.admin import cells, charts, columns, top_errors
from jobs.admin.base import QueueAdmin
from jobs.admin.charts import Chart, Row, Subject
from jobs.admin.paging import Count
from jobs.admin.printable import printable
from jobs.admin.supervisor import job_links, liveness_word
from jobs.models import DEPTH_MAX, Dashboard, Job
from jobs.states import State
from jobs.stats import Liveness, Peak, QueueView, Status, SupervisorView, Totals, Verdict

FAILURES_SHOWN = 5
DAY = timedelta(days=1)
VERDICT_WORDS: dict[Verdict, str | Promise] = {
    Verdict.RUNNING: pgettext_lazy("queue", "Running"),
    Verdict.IDLE: pgettext_lazy("queue", "Idle"),
    Verdict.PAUSED: pgettext_lazy("queue", "Paused"),
    Verdict.STALLED: pgettext_lazy("queue", "Stalled"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How far the charts look back, in which steps, and how often the page is read anew while it is looked at."""

    label: str | Promise
    length: timedelta
    step: timedelta
    refresh_seconds: int


WINDOWS = {
    "15m": Window(label=_("15 minutes"), length=timedelta(minutes=15), step=timedelta(minutes=1), refresh_seconds=5),
    "1h": Window(label=_("1 hour"), length=timedelta(hours=1), step=timedelta(minutes=2), refresh_seconds=5),
    "24h": Window(label=_("24 hours"), length=DAY, step=timedelta(minutes=30), refresh_seconds=60),
    "7d": Window(label=_("7 days"), length=timedelta(days=7), step=timedelta(hours=4), refresh_seconds=300),
}
DEFAULT_WINDOW = "1h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One number; `url` leads to what it counts, None where the person may not see that."""

    name: str
    label: str | Promise
    value: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    view: QueueView
    name: str
    oldest_wait: SafeString
    failed_share: str
    pause: SafeString | None
    list_url: str | None
    pause_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    url: str
    id: str
    what: SafeString  # and why it died
    died: SafeString


@admin.register(Dashboard)
class DashboardAdmin(QueueAdmin):
    """One page in the place of a list."""

    class Media:
        js = ("jobs/live.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).none()  # its rows are counters, and Django has pages for rows

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = request.GET.get("window", DEFAULT_WINDOW)
        if chosen not in WINDOWS:
            chosen = DEFAULT_WINDOW
        now = clock.now()
        page = _Page(self, request, now=now)
        return self.page(
            request,
            "dashboard.html",
            str(_("Dashboard")),
            list_url=None,
            as_of=timezone.localtime(now).strftime("%H:%M:%S"),
            shown_time_zone=timezone.get_current_timezone_name(),
            live_seconds=WINDOWS[chosen].refresh_seconds,
            windows=[(key, window.label, key == chosen) for key, window in WINDOWS.items()],
            **page.context(WINDOWS[chosen]),
            **(extra_context or {}),
        )


class _Page:
    """What the page shows to one person at one moment."""

    def __init__(self, model_admin: DashboardAdmin, request: HttpRequest, *, now: datetime) -> None:
        self._site_name = model_admin.admin_site.name
        self._user: Any = request.user
        self._now = now
        self._status: Status = stats.status(counts=stats.count_jobs(), now=now)

    def context(self, window: Window) -> dict[str, Any]:
        health = self._status.health
        return {
            "health": health,
            "verdict": VERDICT_WORDS[health.verdict],
            "tiles": list(self._tiles()),
            "charts": list(_charts(window, self._now)),
            "queues": [self._queue(view) for view in self._status.queues],
            "supervisors": self._supervisors(),
            "workers_url": self._list("supervisor"),
            "failures": self._failures(),
            "top_errors": self._top_errors(),
            "dead_url": self._list("deadjob"),
        }

    def _list(self, model: str, **query: str) -> str | None:
        """Return the address of a list; None if this person may not see it."""
        if not self._user.has_perm(f"jobs.view_{model}"):
            return None
        url = reverse(f"admin:jobs_{model}_changelist", current_app=self._site_name)
        return f"{url}?{urlencode(query)}" if query else url

    def _tiles(self) -> Iterable[Tile]:
        for state in (State.PENDING, State.SCHEDULED, State.PROCESSING, State.FAILED):
            count = self._status.counts.total(state)
            label = _("Retrying") if state is State.FAILED else state.label.capitalize()
            yield Tile(name=state, label=label, value=str(count), url=self._list("job", state=state))
        dead = self._status.counts.total(State.DEAD)
        yield Tile(name=State.DEAD, label=_("Dead"), value=str(dead), url=self._list("deadjob"))
        completed = Count(stats.count_completed(since=self._now - DAY, now=self._now))
        done = self._list("job", state=State.COMPLETED, window="24h")
        yield Tile(name=State.COMPLETED, label=_("Completed in 24 h"), value=str(completed), url=done)
        wait_seconds = self._status.oldest_wait_seconds
        wait = "–" if wait_seconds is None else moments.rough(wait_seconds)
        yield Tile(name="wait", label=_("Oldest wait"), value=wait, url=self._list("job", state=State.PENDING))

    def _queue(self, view: QueueView) -> QueueLine:
        ended = view.recent_completed + view.recent_failed + view.recent_dead
        share = f"{(view.recent_failed + view.recent_dead) / ended:.0%}" if ended else "–"
        verb = "resume" if view.pause else "pause"
        may_pause = self._user.has_perms(["jobs.view_config", "jobs.pause_queue"])
        url = reverse(f"admin:jobs_config_{verb}", args=[quote(view.name)], current_app=self._site_name)
        return QueueLine(
            view=view,
            name=printable(view.name),
            oldest_wait=cells.duration(view.oldest_wait_seconds),
            failed_share=share,
            pause=cells.pause(view.pause, now=self._now) if view.pause else None,
            list_url=self._list("job", queue=view.name),
            pause_url=url if may_pause else None,
        )

    def _supervisors(self) -> list[dict[str, Any]] | None:
        """Return those that run, and those that are gone; None: not for this person."""
        if self._list("supervisor") is None:
            return None
        shown = [view for view in self._status.supervisors if view.liveness is not Liveness.STOPPED]
        return [self._supervisor(view) for view in shown]

    def _supervisor(self, view: SupervisorView) -> dict[str, Any]:
        return {
            "name": printable(str(view)),
            "url": reverse("admin:jobs_supervisor_change", args=[view.id], current_app=self._site_name),
            "state": cells.badge(view.liveness, liveness_word(view.liveness)),
            "queues": _("all") if view.queues is None else printable(", ".join(view.queues)),
            "running": job_links(view.running_ids, self._site_name),
            "heartbeat": cells.moment(view.heartbeat_at, now=self._now),
        }

    def _failures(self) -> list[Failure] | None:
        if self._list("deadjob") is None:
            return None
        columns_of = columns.Columns(now=self._now)
        newest: Any = columns.listed(self._dead()).order_by("-finished_at", "-pk")[:FAILURES_SHOWN]
        return [
            Failure(
                url=reverse("admin:jobs_deadjob_change", args=[quote(job.pk)], current_app=self._site_name),
                id=printable(job.pk),
                what=columns_of.what_and_error(job),
                died=columns_of.died(job),
            )
            for job in newest
        ]

    def _top_errors(self) -> list[top_errors.TopError] | None:
        if self._list("deadjob") is None:
            return None
        return top_errors.of_the_newest(self._dead(), now=self._now)[:FAILURES_SHOWN]

    @staticmethod
    def _dead() -> QuerySet[Job]:
        return Job.objects.filter(state=State.DEAD)


def _charts(window: Window, now: datetime) -> Iterable[Chart]:
    step_seconds = window.step.total_seconds()
    last = datetime.fromtimestamp(now.timestamp() // step_seconds * step_seconds, UTC)
    since = last + window.step - window.length
    found = stats.totals_over_time(since=since, now=now, step=window.step)
    times, totals = list(found), list(found.values())
    yield _throughput(times, totals)
    waits = _percentiles(totals, lambda total: (total.wait_p50_seconds, total.wait_p95_seconds))
    yield charts.lines(Subject(name="wait", title=_("Wait"), moments=times, rows=waits, text=moments.rough))
    runs = _percentiles(totals, lambda total: (total.run_p50_seconds, total.run_p95_seconds))
    yield charts.lines(Subject(name="run", title=_("Run time"), moments=times, rows=runs, text=moments.rough))
    yield _depth(stats.depth_over_time(since=since, now=now, step=window.step))


def _throughput(times: Sequence[datetime], totals: Sequence[Totals]) -> Chart:
    counted = (
        Row(name="completed", label=_("completed"), values=[total.completed for total in totals]),
        Row(name="failed", label=_("failed attempts"), values=[total.failed for total in totals]),
        Row(name="dead", label=_("dead"), values=[total.dead for total in totals]),
    )
    return charts.bars(Subject(name="throughput", title=_("Throughput"), moments=times, rows=counted, text=_number))


def _depth(peaks: Mapping[datetime, Peak]) -> Chart:
    rows = (
        Row(name="pending", label=_("pending"), values=[peak.pending for peak in peaks.values()]),
        Row(name="processing", label=_("processing"), values=[peak.processing for peak in peaks.values()]),
    )
    return charts.lines(Subject(name="depth", title=_("Depth"), moments=list(peaks), rows=rows, text=_depth_number))


def _percentiles(
    totals: Sequence[Totals], of: Callable[[Totals], tuple[float | None, float | None]]
) -> tuple[Row, Row]:
    return (
        Row(name="p50", label=_("median"), values=[of(total)[0] for total in totals]),
        Row(name="p95", label=_("95th percentile"), values=[of(total)[1] for total in totals]),
    )


def _depth_number(value: float) -> str:
    return f"{_number(value)}+" if value == DEPTH_MAX else _number(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
