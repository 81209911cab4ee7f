"""The trace of what people do: Django's own admin log, which its pages and other tools already read."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from jobs.models import Job

REPR_CHARACTERS_MAX = 200  # LogEntry.object_repr


def note_jobs(*, user: Any, ids: Sequence[str], flag: int, message: str) -> None:
    """Log the same thing about each of these jobs, which may be gone already."""
    jobs: Any = [Job(pk=id_) for id_ in ids]
    if jobs:
        LogEntry.objects.log_actions(user_id=user.pk, queryset=jobs, action_flag=flag, change_message=message)


def begin_summary(*, user: Any, flag: int, scope: str) -> LogEntry:
    """Log that something is done to more jobs than are logged one by one. Written first: it may be interrupted."""
    return LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(Job),
        object_id=None,
        object_repr=scope[:REPR_CHARACTERS_MAX],
        action_flag=flag,
        change_message="begun",
    )


def update_summary(entry: LogEntry, message: str) -> None:
    """Replace what a summary says."""
    LogEntry.objects.filter(pk=entry.pk).update(change_message=message)


def note_change(*, user: Any, row: Model, message: str) -> None:
    """Log a change to one row of any model."""
    rows: Any = [row]
    LogEntry.objects.log_actions(user_id=user.pk, queryset=rows, action_flag=CHANGE, change_message=message)


def author(user: Any) -> str:
    """Return how the queue's own history names someone who acts here, apart from the users of a machine."""
    return f"{user.get_username()} (admin)"
