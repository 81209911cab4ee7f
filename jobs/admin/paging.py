"""A paginator that stops counting. A million rows cost a list page what ten thousand do."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.utils.functional import cached_property

COUNT_MAX = 10_000  # rows: as far as anyone leafs, 1 to 10 ms beside the thirty that a page takes


class Count(int):
    """A number of rows, shown with thousands separated."""

    is_capped = False

    def __str__(self) -> str:
        # Where this is set, Django separates the thousands itself, between whatever characters there are.
        return int.__repr__(self) if settings.USE_THOUSAND_SEPARATOR else f"{int(self):,}"


class AtLeast(Count):
    """The count of a list that has more rows than were counted: a number to compute with, shown as `10,000+`.

    The admin's templates, and those of its skins, compare a list's count with numbers and print it as it is; a number
    that says so itself is the only way to be honest in all of them.
    """

    is_capped = True

    def __str__(self) -> str:
        return super().__str__() if settings.USE_THOUSAND_SEPARATOR else f"{super().__str__()}+"


def capped_count(rows: QuerySet[Any]) -> Count:
    """Count at most `COUNT_MAX` rows, by whatever index finds them soonest."""
    found = rows.order_by().values("pk")[: COUNT_MAX + 1].count()
    return AtLeast(COUNT_MAX) if found > COUNT_MAX else Count(found)


if TYPE_CHECKING:
    _Paginator = Paginator[Model]
else:
    _Paginator = Paginator  # only the stubs make it generic


class CappedPaginator(_Paginator):
    """Counts at most `COUNT_MAX` rows, which is also as far as its pages go."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> Count:
        return capped_count(self.object_list)
