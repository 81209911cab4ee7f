"""The workers: every `worker start`, what it runs, whether it is alive, and asking it to stop."""

# ruff: noqa: ARG002 - the arguments of these methods are Django's

from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from jobs import clock, stats
from jobs.admin import cells, stop_page
from jobs.admin.base import Empty, QueueAdmin, Tool
from jobs.admin.job_page import Fact
from jobs.admin.paging import Count
from jobs.admin.printable import printable
from jobs.models import Supervisor
from jobs.stats import Liveness, SupervisorView

RUNNING_SHOWN_MAX = 5


class Columns:
    """The columns of the list, for one request."""

    def __init__(self, *, now: datetime, site_name: str) -> None:
        self.now = now
        self.site_name = site_name

    @cached_property
    def views(self) -> dict[int, SupervisorView]:
        return {view.id: view for view in stats.supervisors(now=self.now)}

    @admin.display(description=_("supervisor"))
    def name(self, row: Supervisor) -> str:
        return printable(str(row))

    @admin.display(description=_("state"))
    def state(self, row: Supervisor) -> SafeString:
        view = self.views[row.pk]
        badge = cells.badge(view.liveness, liveness_word(view.liveness))
        is_asked = view.is_stopping and view.is_living
        return format_html('{} <span class="qc-note">{}</span>', badge, _t("stopping")) if is_asked else badge

    @admin.display(description=_("queues"))
    def queues(self, row: Supervisor) -> str:
        return _t("all") if row.queues is None else ", ".join(printable(name) for name in row.queues)

    @admin.display(description=_("workers"))
    def workers(self, row: Supervisor) -> str:
        return str(row.worker_count) if row.thread_count == 1 else f"{row.worker_count} × {row.thread_count}"

    @admin.display(description=_("running"))
    def running(self, row: Supervisor) -> SafeString:
        return job_links(self.views[row.pk].running_ids, self.site_name)

    @admin.display(description=_("completed"))
    def completed(self, row: Supervisor) -> SafeString:
        return format_html('<span class="qc-number">{}</span>', Count(row.completed_count))

    @admin.display(description=_("heartbeat"))
    def heartbeat(self, row: Supervisor) -> SafeString:
        return cells.moment(row.heartbeat_at, now=self.now)

    @admin.display(description=_("started"))
    def started(self, row: Supervisor) -> SafeString:
        return cells.moment(row.started_at, now=self.now)


def liveness_word(liveness: Liveness) -> str:
    words = {
        Liveness.ALIVE: pgettext("supervisor", "alive"),
        Liveness.LATE: pgettext("supervisor", "late"),
        Liveness.GONE: pgettext("supervisor", "gone"),
        Liveness.STOPPED: pgettext("supervisor", "stopped"),
    }
    return words[liveness]


def job_links(ids: list[str], site_name: str) -> SafeString:
    """Return links to the pages of these jobs, the first few of them."""
    if not ids:
        return cells.NOTHING
    page = "admin:jobs_job_change"
    rows = [
        (reverse(page, args=[admin.utils.quote(id_)], current_app=site_name), id_) for id_ in ids[:RUNNING_SHOWN_MAX]
    ]
    links = format_html_join(", ", '<a class="qc-id" href="{}">{}</a>', rows)
    return format_html("{} …", links) if len(ids) > RUNNING_SHOWN_MAX else links


@admin.register(Supervisor)
class SupervisorAdmin(QueueAdmin):
    actions = ("stop",)
    ordering = ("-started_at", "-id")
    fieldsets = ((None, {"fields": ()}),)
    change_form_template = "admin/jobs/supervisor/change_form.html"
    empty = Empty(
        text=_("No worker was seen in the last day: nothing is running any jobs."),
        hint=_("Start one from a terminal:"),
        commands=("queuectl worker start --count 2",),
    )

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        row = Columns(now=clock.now(), site_name=self.admin_site.name)
        return (row.name, row.state, row.queues, row.workers, row.running, row.completed, row.heartbeat, row.started)

    def context_of_list(self, request: HttpRequest) -> dict[str, Any]:
        return {"shown_time_zone": timezone.get_current_timezone_name()}

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return stop_page.may(self, request)

    @admin.action(description=_("Stop selected workers"), permissions=["stop"])
    def stop(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return stop_page.from_list(self, request)

    def get_urls(self) -> list[URLPattern]:
        return [self.route("stop/", self.stop_view, "stop"), *super().get_urls()]

    def stop_view(self, request: HttpRequest) -> HttpResponse:
        return stop_page.view(self, request)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        now, obj = clock.now(), kwargs["obj"]
        view = next(view for view in stats.supervisors(now=now) if view.id == obj.pk)
        own = {
            "title": _("Worker"),
            "subtitle": None,
            "state": Columns(now=now, site_name=self.admin_site.name).state(obj),
            "facts": _facts(view, now),
            "workers": [_worker(worker, self.admin_site.name) for worker in view.workers],
            "tools": self._tools(request, obj),
            "shown_time_zone": timezone.get_current_timezone_name(),
        }
        return super().render_change_form(request, context | own, *args, **kwargs)

    def _tools(self, request: HttpRequest, row: Supervisor) -> list[Tool]:
        if not row.is_live or row.stop_requested_at is not None or not stop_page.may(self, request):
            return []
        return [Tool(label=_("Stop"), url=f"{self.url('stop')}?{urlencode({stop_page.NAMED: row.pk})}")]


def _facts(view: SupervisorView, now: datetime) -> list[Fact]:
    facts = [
        Fact(label=_t("Host"), value=printable(view.host)),
        Fact(label=_t("Process"), value=str(view.pid)),
        Fact(label=_t("Version"), value=printable(view.version)),
        Fact(label=_t("Queues"), value=_t("all") if view.queues is None else printable(", ".join(view.queues))),
        Fact(label=_t("Completed"), value=str(Count(view.completed_count))),
        Fact(label=_t("Started"), value=cells.exact(view.started_at, now=now)),
        Fact(label=_t("Last heartbeat"), value=cells.exact(view.heartbeat_at, now=now)),
    ]
    if view.stopped_at is not None:
        facts.append(Fact(label=_t("Stopped"), value=cells.exact(view.stopped_at, now=now)))
    return facts


def _worker(worker: dict[str, Any], site_name: str) -> dict[str, Any]:
    rss_bytes = worker.get("rss_bytes")
    return {
        "pid": worker.get("pid", "?"),
        "jobs": job_links(list(worker.get("jobs") or ()), site_name),
        "memory": filesizeformat(rss_bytes) if rss_bytes else cells.NOTHING,
    }
