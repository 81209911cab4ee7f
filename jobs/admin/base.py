"""What all lists and pages of the queue's admin share. Plain ModelAdmin hooks only: a skin's class can be mixed in."""

# ruff: noqa: ARG002 - the arguments of these methods are Django's

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, ClassVar

import django
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import quote
from django.contrib.admin.views.main import ChangeList
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from jobs.admin.paging import CappedPaginator

ROWS_PER_PAGE = 50
ROWS_ON_ONE_PAGE_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A link at the head of a page. It leads to a page that asks; following it changes nothing."""

    label: str | Promise
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """What an empty list says: how it is, and what to do next; `commands` are for a terminal."""

    text: str | Promise
    hint: str | Promise = ""
    commands: tuple[str, ...] = ()


if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin  # only the stubs make it generic


class QueueAdmin(_ModelAdmin):
    """A list and its pages. Django's own ways to add, change and delete rows are closed; the queue has its own."""

    paginator = CappedPaginator
    list_per_page = ROWS_PER_PAGE
    list_max_show_all = ROWS_ON_ONE_PAGE_MAX
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    actions_selection_counter = True
    empty: ClassVar[Empty] = Empty(text=_("There is nothing here."))
    nothing_matches = Empty(text=_("Nothing matches."), hint=_("Remove a filter, or search for less."))

    class Media:
        css = {"all": ("jobs/admin.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Allow the filters beside the list alone.

        Django allows every column in the address. Whoever may see a job could then ask, a character at a time, what its
        masked environment holds.
        """
        return any(_asks_for(lookup, each) for each in self.get_list_filter(request))

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Refuse, as Django does other filters that make no sense, values that no database can be asked for."""
        if not all(is_askable(value) for _, values in request.GET.lists() for value in values):
            raise IncorrectLookupParameters
        return super().get_changelist_instance(request)

    def tools_of_list(self, request: HttpRequest) -> list[Tool]:
        """Return the links at the head of the list."""
        return []

    def context_of_list(self, request: HttpRequest) -> dict[str, Any]:
        """Return what the list's template needs beyond Django's own."""
        return {}

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            return super().changelist_view(request)  # refuses, before anything is read
        context = {
            "title": capfirst(self.opts.verbose_name_plural),
            "tools": self.tools_of_list(request),
            "empty": self.empty,
            "nothing_matches": self.nothing_matches,
            **self.context_of_list(request),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        """Render a page of our own under this list."""
        request.current_app = self.admin_site.name
        full = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": title,
            # Django 6.1 made the breadcrumbs a list.
            "crumbs_are_a_list": django.VERSION >= (6, 1),
            "list_url": self.url("changelist"),
            **context,
        }
        return TemplateResponse(request, f"admin/jobs/{template}", full)

    def url(self, name: str, *args: str) -> str:
        """Return the address of one of this list's pages; `args` are the ids in it."""
        quoted = [quote(arg) for arg in args]
        return reverse(f"admin:{self._url_name(name)}", args=quoted, current_app=self.admin_site.name)

    def route(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """Return the entry for a page of our own: staff only, outside ATOMIC_REQUESTS: bulk work commits in steps."""

        def wrapper(*args: Any, **kwargs: Any) -> HttpResponse:
            return self.admin_site.admin_view(view)(*args, **kwargs)

        update_wrapper(wrapper, view)
        return path(route, transaction.non_atomic_requests(wrapper), name=self._url_name(name))

    def _url_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"


def is_askable(text: str) -> bool:
    """Tell whether a database can be asked for a text: PostgreSQL refuses NUL, and lone surrogates are no UTF-8."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _asks_for(lookup: str, list_filter: Any) -> bool:
    """Tell whether a parameter of the address belongs to a filter: one of ours, or a column that a project named."""
    column = list_filter[0] if isinstance(list_filter, list | tuple) else list_filter
    if isinstance(column, str):
        return lookup == column or lookup.startswith(f"{column}__")
    return bool(lookup == getattr(column, "parameter_name", None))
