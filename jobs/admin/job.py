"""The list of jobs, and what a person may do to them there and on a job's page."""

# ruff: noqa: ARG002 - the arguments of these methods are Django's

from functools import partial
from types import ModuleType
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from jobs import clock
from jobs.admin import acting, columns, enqueue, filters, job_page, output_page, search, settings_page, undo_page
from jobs.admin.base import Empty, QueueAdmin, Tool, is_askable
from jobs.admin.lists import JobList
from jobs.admin.verbs import CANCEL, DELETE, REQUEUE, RUN_NOW, JobVerb
from jobs.models import Job
from jobs.states import FINAL, WAITING, State

# Between two looks of a job's page at a job that may yet change.
LIVE_SECONDS: dict[str, int] = {State.PROCESSING: 2, **dict.fromkeys(WAITING, 5)}


class JobAdminBase(QueueAdmin):
    """What the list of all jobs and the Dead Letter Queue have in common. Nothing about a job can be edited here."""

    verbs: tuple[JobVerb, ...] = ()
    list_display = ("id",)
    list_display_links = ("id",)
    search_fields = ("id",)
    search_help_text = search.HELP
    fieldsets = ((None, {"fields": ()}),)  # the job's page is our own
    change_form_template = "admin/jobs/job/change_form.html"

    class Media:
        js = ("jobs/live.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return columns.listed(super().get_queryset(request))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the job with the large columns, which its page shows."""
        if not is_askable(object_id):
            return None
        return self.get_queryset(request).defer(None).filter(pk=object_id).first()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobList

    def get_search_results(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        return search.search(queryset, search.parse(search_term)), False

    def context_of_list(self, request: HttpRequest) -> dict[str, Any]:
        terms = search.parse(request.GET.get("q", ""))
        limit = search.NEWEST_SEARCHED if terms.is_limited else None
        return {
            "searched_limit": limit,
            "unknown_states": terms.unknown,
            "terms_limit": search.TERMS_MAX if terms.is_too_long else None,
            "shown_time_zone": timezone.get_current_timezone_name(),
        }

    def tools_of_list(self, request: HttpRequest) -> list[Tool]:
        """Return the verbs for everything that matches: without JavaScript, Django offers no way to say that."""
        query = request.GET.urlencode()
        return [
            Tool(label=verb.label_all, url=f"{self.url(verb.name)}?{query}".rstrip("?"))
            for verb in self.verbs
            if acting.may(self, request, verb)
        ]

    def tools_of_job(self, request: HttpRequest, job: Job) -> list[Tool]:
        """Return the verbs that apply to this job now."""
        tools = [
            Tool(label=verb.label, url=f"{self.url(verb.name)}?{urlencode({acting.NAMED: job.pk})}")
            for verb in self.verbs
            if job.state in verb.rule.states and acting.may(self, request, verb)
        ]
        if settings_page.may(self, request, job.state):
            label = _("Change and requeue") if job.state in FINAL else _("Change settings")
            tools.append(Tool(label=label, url=self.url("settings", job.pk)))
        return tools

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        now, obj = clock.now(), kwargs["obj"]
        output_url = partial(self._output_url, obj.pk) if output_page.may(self, request) else None
        page = job_page.build(obj, request.GET, output_url=output_url, now=now)
        own = {
            "title": _("Job"),
            "subtitle": None,
            "page": page,
            "tools": self.tools_of_job(request, obj),
            "live_seconds": LIVE_SECONDS.get(obj.state, ""),
            "as_of": timezone.localtime(now).strftime("%H:%M:%S"),
        }
        return super().render_change_form(request, context | own, *args, **kwargs)

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead to our own page: Django's would delete whatever depends on the job, in whatever state it is."""
        name = "delete" if DELETE in self.verbs else "discard"
        return HttpResponseRedirect(f"{self.url(name)}?{urlencode({acting.NAMED: unquote(object_id)})}")

    def get_urls(self) -> list[URLPattern]:
        verbs = [self.route(f"{verb.name}/", self._view_of(acting, verb), verb.name) for verb in self.verbs]
        undos = [
            self.route(f"{verb.name}/undo/", self._view_of(undo_page, verb), f"{verb.name}_undo")
            for verb in self.verbs
            if verb.is_undoable
        ]
        output = self.route("<path:object_id>/output/<int:fence>/", self.output_view, "output")
        settings = self.route("<path:object_id>/settings/", self.settings_view, "settings")
        return [*verbs, *undos, output, settings, *super().get_urls()]

    def _output_url(self, job_id: str, fence: int) -> str:
        return self.url("output", job_id, str(fence))

    def output_view(self, request: HttpRequest, object_id: str, fence: int) -> HttpResponse:
        return output_page.view(self, request, unquote(object_id), fence)

    def settings_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return settings_page.view(self, request, unquote(object_id))

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return acting.may(self, request, REQUEUE)

    def has_run_now_permission(self, request: HttpRequest) -> bool:
        return acting.may(self, request, RUN_NOW)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return acting.may(self, request, CANCEL)

    def has_discard_permission(self, request: HttpRequest) -> bool:
        return acting.may(self, request, DELETE)

    def _view_of(self, page: ModuleType, verb: JobVerb) -> Any:
        def view(request: HttpRequest) -> HttpResponse:
            response: HttpResponse = page.view(self, request, verb)
            return response

        return view


@admin.register(Job)
class JobAdmin(JobAdminBase):
    verbs = (REQUEUE, RUN_NOW, CANCEL, DELETE)
    actions = ("requeue", "run_now", "cancel", "delete_selected")
    list_filter = (
        filters.StateFilter,
        filters.KindFilter,
        filters.QueueFilter,
        filters.EnqueuedFilter,
        filters.ErrorFilter,
    )
    ordering = ("-enqueued_at", "-id")
    empty = Empty(
        text=_("No job was ever enqueued, or all were deleted."),
        hint=_("Add one from a terminal, and start a worker:"),
        commands=("queuectl enqueue --id first -- echo hello", "queuectl worker start"),
    )

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        row = columns.Columns(now=clock.now())
        return ("id", row.state, row.what_and_error, row.attempts, row.when)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Order final jobs by when they ended: that is the index that holds just them."""
        return ("-finished_at", "-id") if request.GET.get("state") in FINAL else self.ordering

    @admin.action(description=_("Requeue selected jobs"), permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        return acting.from_list(self, request, REQUEUE)

    @admin.action(description=_("Run selected jobs now"), permissions=["run_now"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        return acting.from_list(self, request, RUN_NOW)

    @admin.action(description=_("Cancel selected jobs"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        return acting.from_list(self, request, CANCEL)

    # Named as Django's own, which it thereby replaces.
    @admin.action(description=_("Delete selected jobs"), permissions=["discard"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        return acting.from_list(self, request, DELETE)

    def tools_of_list(self, request: HttpRequest) -> list[Tool]:
        own = [Tool(label=_("Enqueue…"), url=self.url("enqueue"))] if enqueue.may(self, request) else []
        return [*own, *super().tools_of_list(request)]

    def get_urls(self) -> list[URLPattern]:
        forms = [
            self.route(f"enqueue/{kind}/<str:name>/", self._form_of(kind), f"enqueue_{kind}")
            for kind in enqueue.SOURCES
        ]
        return [self.route("enqueue/", self.enqueue_view, "enqueue"), *forms, *super().get_urls()]

    def enqueue_view(self, request: HttpRequest) -> HttpResponse:
        return enqueue.choose(self, request)

    def _form_of(self, kind: str) -> Any:
        def view(request: HttpRequest, name: str) -> HttpResponse:
            return enqueue.fill_in(self, request, kind, unquote(name))

        return view
