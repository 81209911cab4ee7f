"""The Dead Letter Queue: jobs that gave up and wait for a person."""

# ruff: noqa: ARG002 - the arguments of these methods are Django's

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from jobs import clock
from jobs.admin import acting, columns, filters, top_errors
from jobs.admin.base import Empty
from jobs.admin.job import JobAdminBase
from jobs.admin.paging import Count
from jobs.admin.verbs import DISCARD, RETRY_DEAD
from jobs.models import DeadJob
from jobs.states import State


@admin.register(DeadJob)
class DeadJobAdmin(JobAdminBase):
    verbs = (RETRY_DEAD, DISCARD)
    actions = ("requeue", "delete_selected")
    list_filter = (filters.QueueFilter, filters.KindFilter, filters.DiedFilter, filters.ErrorFilter)
    ordering = ("-finished_at", "-id")
    empty = Empty(
        text=_("Nothing is dead."),
        hint=_(
            "A job that fails more often than its retries allow is kept here until someone requeues or discards it."
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(state=State.DEAD)

    def get_list_display(self, request: HttpRequest) -> tuple[Any, ...]:
        row = columns.Columns(now=clock.now())
        return ("id", row.what, row.why, row.attempts, row.died)

    def context_of_list(self, request: HttpRequest) -> dict[str, Any]:
        errors = top_errors.of_the_newest(self.get_queryset(request), now=clock.now())
        more = {"top_errors": errors, "top_errors_looked_at": Count(top_errors.LOOKED_AT)}
        return super().context_of_list(request) | more

    @admin.action(description=_("Requeue selected jobs"), permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        return acting.from_list(self, request, RETRY_DEAD)

    # Named as Django's own, which it thereby replaces.
    @admin.action(description=_("Discard selected jobs"), permissions=["discard"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        return acting.from_list(self, request, DISCARD)

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead to the history of the job, which is one, whatever list it was changed from."""
        name = f"admin:{self.opts.app_label}_job_history"
        return HttpResponseRedirect(reverse(name, args=[object_id], current_app=self.admin_site.name))
