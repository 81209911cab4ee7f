"""The list of jobs as Django's change list, made to follow an index whatever it is filtered by."""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest


class JobList(ChangeList):
    """Chooses how the database finds a page of jobs.

    Where many jobs match, walking the index that is in the list's order soon meets a page full of them. Where few do,
    that walk would visit every job there is (a second, at a million): there the matches are collected and sorted.
    """

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.paginator.count.is_capped:
            return
        matches = self.queryset.order_by(*map(_sorted_not_walked, self.queryset.query.order_by))
        self.result_list = self._page_of(matches)

    def _page_of(self, matches: QuerySet[Any]) -> QuerySet[Any]:
        if not self.multi_page or (self.show_all and self.can_show_all):
            return matches[: self.list_max_show_all]  # more may have come since they were counted
        start = (self.page_num - 1) * self.list_per_page
        return matches[start : start + self.list_per_page]


def _sorted_not_walked(order: Any) -> Any:
    """Return the same order, in words for which no database has an index."""
    if not isinstance(order, str):
        return order
    column = F(order.removeprefix("-"))
    same = Coalesce(column, column)
    return same.desc() if order.startswith("-") else same.asc()
