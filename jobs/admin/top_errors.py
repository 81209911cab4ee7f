"""The errors most jobs died of lately: one grouped query over a limited number of rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, QuerySet
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from jobs.admin import cells, paging
from jobs.admin.printable import one_line

LOOKED_AT = 10_000  # the newest dead jobs; some tens of milliseconds
SHOWN_MAX = 10
ERROR_CHARACTERS = 120
QUERY_CHARACTERS_MAX = 500  # web servers refuse longer addresses than a few thousand bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TopError:
    """`query` filters the list by this error; None where the error is too long for an address."""

    text: str
    count: paging.Count
    latest: SafeString
    query: str | None


def of_the_newest(dead: QuerySet[Any], *, now: datetime) -> list[TopError]:
    """Return the errors of the newest dead jobs, the most frequent first."""
    newest = dead.order_by("-finished_at", "-pk").values_list("finished_at", flat=True)
    oldest = newest[LOOKED_AT : LOOKED_AT + 1].first()
    lately = dead if oldest is None else dead.filter(finished_at__gt=oldest)
    groups = lately.order_by().values("error").annotate(number=Count("pk"), latest=Max("finished_at"))
    return [_top_error(group, now) for group in groups.order_by("-number", "-latest")[:SHOWN_MAX]]


def _top_error(group: dict[str, Any], now: datetime) -> TopError:
    error = group["error"] or ""
    return TopError(
        text=one_line(error, ERROR_CHARACTERS),
        count=paging.Count(group["number"]),
        latest=cells.moment(group["latest"], now=now),
        query=urlencode({"error": error}) if len(error) <= QUERY_CHARACTERS_MAX else None,
    )
