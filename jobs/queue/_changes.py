"""The history of what people set: each change with its author, written in the transaction of the change."""

from datetime import datetime
from typing import Any

from jobs import new_job
from jobs.errors import InvalidInput
from jobs.models import ConfigChange

# Of each queue. By number, not by age: who set what still holds is worth knowing after years, and a script that pauses
# a queue every minute must not push out what was done to another.
CHANGES_KEPT = 1_000
AUTHOR_CHARACTERS_MAX = 250


def note_change(queue: str, key: str, *, before: Any, after: Any, by: str, now: datetime) -> None:
    """Write down one change, and forget the oldest beyond the newest thousand. Raise InvalidInput without an author.

    The caller holds the lock of the queue's settings, so the changes of a queue have ids in their order.
    """
    author = new_job.shown(by.strip(), AUTHOR_CHARACTERS_MAX)
    if not author:
        raise InvalidInput("by", "must say who changes it")
    ConfigChange.objects.create(queue=queue, key=key, before=before, after=after, changed_by=author, changed_at=now)
    _forget_old(queue)


def _forget_old(queue: str) -> None:
    of_queue = ConfigChange.objects.filter(queue=queue)
    newest = of_queue.order_by("-pk").values_list("pk", flat=True)
    oldest_kept = newest[CHANGES_KEPT - 1 : CHANGES_KEPT].first()
    if oldest_kept is not None:
        of_queue.filter(pk__lt=oldest_kept).delete()
