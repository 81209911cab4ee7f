"""Asking what was enqueued, whatever became of it since; and failing a test with words that show it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from django.db.models import Q

from jobs.models import Job
from jobs.testing import _attempts, _transactions

SHOWN_MAX = 20  # jobs in a message: more hides the first line of it


class HasPath(Protocol):
    """A task of Django's, or of its backport."""

    @property
    def module_path(self) -> str: ...


What = HasPath | str  # a task, its path, or a command line


def enqueued(what: What | None = None, *, queue: str | None = None) -> list[Job]:
    """Return the jobs that were enqueued, the first one first, also those that have run since.

    `what` is a task, its path, or a command line.
    """
    found = Job.objects.order_by("enqueued_at", "pk")
    if what is not None:
        found = found.filter(Q(task=_path(what)) | Q(command=_path(what)))
    if queue is not None:
        found = found.filter(queue=queue)
    return list(found)


def assert_enqueued(
    what: What,
    *,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    queue: str | None = None,
    count: int | None = None,
) -> list[Job]:
    """Fail unless that was enqueued: `count` times, or, with None, at least once. Return the jobs.

    Arguments of None may be any; those that are given must be equal, all of them.
    """
    found = [job for job in enqueued(what, queue=queue) if _has(job.args, args) and _has(job.kwargs, kwargs)]
    if len(found) != count if count is not None else not found:
        wanted = _criteria(what, args, kwargs, queue)
        times = f"was enqueued {len(found)} times, not {count}" if count is not None else "was not enqueued"
        raise AssertionError(f"{wanted} {times}.\n{_all_shown(enqueued())}")
    return found


def assert_nothing_enqueued(*, queue: str | None = None) -> None:
    """Fail if anything was enqueued, be it done already."""
    if found := enqueued(queue=queue):
        raise AssertionError(_all_shown(found))


def _path(what: What) -> str:
    return what if isinstance(what, str) else what.module_path


def _has(actual: Any, wanted: Any) -> bool:
    """Compare arguments as they are stored: as JSON, in which a tuple is a list."""
    return wanted is None or (actual or type(wanted)()) == json.loads(json.dumps(wanted))


def _criteria(what: What, args: Any, kwargs: Any, queue: str | None) -> str:
    given = {"args": args, "kwargs": kwargs, "queue": queue}
    words = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    return " with ".join([_path(what), *filter(None, [", ".join(words)])])


def _all_shown(found: Sequence[Job]) -> str:
    lines = [f"{len(found)} jobs were enqueued:" if found else "Nothing was enqueued."]
    lines += [f"  {_shown(job)}" for job in found[:SHOWN_MAX]]
    lines += [f"  … and {len(found) - SHOWN_MAX} more"] * (len(found) > SHOWN_MAX)
    return "\n".join([*lines, *_hint()])


def _shown(job: Job) -> str:
    return f"{_attempts.call(job.what, job.args or [], job.kwargs or {})}, queue={job.queue!r}, {job.state}"


def _hint() -> Iterable[str]:
    """Name the reason that surprises: in a test's transaction nothing is committed."""
    if waiting := _transactions.waiting_count():
        yield f"{waiting} on_commit() callbacks wait: run them by drain(), or captureOnCommitCallbacks(execute=True)."
