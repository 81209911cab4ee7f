"""The settings of queues: the defaults, and what single queues have of their own; pausing and resuming queues."""

# ruff: noqa: ARG002 - the arguments of these methods are Django's

from datetime import datetime
from functools import cached_property, partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from jobs import clock, conf, queue, stats
from jobs.admin import cells, config_page, pause_page
from jobs.admin.base import Empty, QueueAdmin, Tool
from jobs.admin.filters import queue_names
from jobs.admin.knob_field import shown
from jobs.admin.printable import printable
from jobs.models import ALL_QUEUES, Config


class Columns:
    """The columns of the list, for one request."""

    def __init__(self, *, now: datetime) -> None:
        self.now = now
        self.knobs = [_column(knob, self) for knob in conf.KNOBS.values()]

    @cached_property
    def policies(self) -> queue.Policies:
        return queue.load_policies(now=self.now)

    @cached_property
    def pauses(self) -> dict[str, stats.Pause]:
        return stats.pauses(now=self.now)

    @admin.display(description=_("queue"))
    def queue(self, row: Config) -> str:
        return _t("all queues (defaults)") if row.queue == ALL_QUEUES else printable(row.queue)

    @admin.display(description=_("handing out jobs"))
    def pause(self, row: Config) -> SafeString:
        if row.queue == ALL_QUEUES:
            return cells.NOTHING
        pause = self.pauses.get(row.queue)
        return format_html("{}", _t("yes")) if pause is None else cells.pause(pause, now=self.now)


def _column(knob: conf.Knob, columns: Columns) -> Any:
    """Return the column of one knob: the row's own value, or, faintly, the one that holds instead."""

    @admin.display(description=knob.name.replace("_", " "))
    def column(row: Config) -> SafeString:
        own = getattr(row, knob.name)
        if own is not None:
            return format_html('<span class="qc-number">{}</span>', shown(knob, own))
        value = shown(knob, columns.policies.value(knob.name, row.queue))
        return format_html('<span class="qc-number qc-inherited" title="{}">{}</span>', _t("not set here"), value)

    column.__name__ = knob.name
    return column


@admin.register(Config)
class ConfigAdmin(QueueAdmin):
    """Rows are written by `queue`; Django's add and change pages are replaced by one page derived from the knobs."""

    actions = ()
    ordering = ("queue",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user: Any = request.user
        return bool(user.has_perm("jobs.change_config"))

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        row = Columns(now=clock.now())
        return (row.queue, *row.knobs, row.pause)

    def context_of_list(self, request: HttpRequest) -> dict[str, Any]:
        return {"empty": _empty(), "plain_queues": self._plain_queues()}

    def _plain_queues(self) -> list[Tool]:
        """Return the queues that live by the defaults, as links to their pages."""
        names = queue_names(now=clock.now()) - set(Config.objects.values_list("queue", flat=True))
        return [Tool(label=printable(name), url=self.url("change", name)) for name in sorted(names)]

    def tools_of_list(self, request: HttpRequest) -> list[Tool]:
        if not self.has_change_permission(request):
            return []
        return [Tool(label=_("Change the defaults"), url=self.url("change", ALL_QUEUES))]

    def get_urls(self) -> list[URLPattern]:
        views = {"pause": pause_page.pause, "resume": pause_page.resume}
        own = [
            self.route(f"<path:object_id>/{name}/", partial(self._unquoted, view), name) for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def _unquoted(self, view: Any, request: HttpRequest, object_id: str) -> HttpResponse:
        response: HttpResponse = view(self, request, unquote(object_id))
        return response

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return config_page.choose_queue(self, request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        return config_page.edit(self, request, unquote(object_id))


def _empty() -> Empty:
    values = ", ".join(
        f"{capfirst(knob.name.replace('_', ' '))} {shown(knob, knob.default)}" for knob in conf.KNOBS.values()
    )
    return Empty(
        text=_t("Nothing was ever set: every queue lives by the built-in defaults."),
        hint=_t("%(values)s. Change the defaults for all queues, or add settings for one.") % {"values": values},
    )
