"""How many jobs waited and ran over time, from what supervisors note once a minute."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.models import Depth


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The most jobs that waited, and that ran, at one look in a time; `DEPTH_MAX` means this many or more.

    None: no supervisor was there to look.
    """

    pending: int | None
    processing: int | None


def depth_over_time(*, since: datetime, now: datetime, step: timedelta) -> dict[datetime, Peak]:
    """Return the peaks of every `step`, whole minutes, from `since` on: by the moment each begins."""
    seen: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    noted = Depth.objects.filter(minute__gte=since, minute__lte=now)
    for minute, pending, processing in noted.values_list("minute", "pending", "processing"):
        seen[(minute - since) // step].append((pending, processing))
    return {since + place * step: _peak(seen[place]) for place in range((now - since) // step + 1)}


def _peak(looks: list[tuple[int, int]]) -> Peak:
    return Peak(
        pending=max((pending for pending, _ in looks), default=None),
        processing=max((processing for _, processing in looks), default=None),
    )
