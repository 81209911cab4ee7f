"""`queuectl queue`: listing, pausing and resuming queues."""

import shlex
from argparse import Namespace
from datetime import datetime, timedelta
from typing import Any

from jobs import clock, moments, new_job, queue, stats
from jobs.cli import arguments, present
from jobs.cli.author import author
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.cli.table import Cell, Column
from jobs.errors import InvalidInput
from jobs.stats import QueueView

REASON_MAX_CHARACTERS = 200  # a line of a list
COLUMNS = (
    Column(title="QUEUE"),
    Column(title="PENDING", is_right=True),
    Column(title="RUNNING", is_right=True),
    Column(title="SCHEDULED", is_right=True, optional_rank=2),
    Column(title="RETRYING", is_right=True, optional_rank=3),
    Column(title="DEAD", is_right=True),
    Column(title="OLDEST", is_right=True),
    Column(title="DONE/H", is_right=True, optional_rank=1),
    Column(title="PAUSED", is_flexible=True),
)


def configure(verbs: Verbs) -> None:
    noun = verbs.add_noun(
        "queue",
        summary="list, pause and resume queues",
        examples=("queuectl queue list", 'queuectl queue pause mail --reason "provider is down" --for 1h'),
    )
    listing = noun.add(
        "list",
        _list,
        summary="list queues and what is in them",
        examples=("queuectl queue list", "queuectl queue list --json"),
    )
    arguments.add_json(listing)
    pause = noun.add(
        "pause",
        _pause,
        summary="stop handing out jobs of a queue; running ones go on",
        examples=("queuectl queue pause mail", 'queuectl queue pause mail --reason "provider is down" --for 1h'),
    )
    pause.add_argument("name", metavar="QUEUE", type=arguments.queue)
    pause.add_argument("--reason", metavar="TEXT", help="why, for those who wonder")
    pause.add_argument("--for", metavar="DURATION", type=arguments.duration, dest="seconds", help="resume after this")
    resume = noun.add(
        "resume",
        _resume,
        summary="hand out jobs of a paused queue again",
        examples=("queuectl queue resume mail", "queuectl queue list"),
    )
    resume.add_argument("name", metavar="QUEUE", type=arguments.queue)


def _list(options: Namespace, output: Output) -> int:
    now = clock.now()
    views = _views(now)
    if options.json:
        output.json([queue_json(view) for view in views])
    elif views:
        print_queues(views, output, now)
    else:
        output.note("No queue yet; the first job makes one.")
    return 0


def _views(now: datetime) -> list[QueueView]:
    return stats.queues(counts=stats.count_jobs(), waits=stats.oldest_waits(now=now), now=now)


def print_queues(views: list[QueueView], output: Output, now: datetime) -> None:
    output.table(COLUMNS, [_row(view, now) for view in views])


def _row(view: QueueView, now: datetime) -> list[Cell | str]:
    oldest = "" if view.oldest_wait_seconds is None else moments.rough(view.oldest_wait_seconds)
    counts = (view.pending, view.processing, view.scheduled, view.failed)
    return [
        Cell(view.name, "bold"),
        *(Cell(str(count), None if count else "dim") for count in counts),
        Cell(str(view.dead), "red" if view.dead else "dim"),
        oldest,
        Cell(f"{view.recent_completed:,}", None if view.recent_completed else "dim"),
        Cell(_paused(view, now), "yellow"),
    ]


def _paused(view: QueueView, now: datetime) -> str:
    if view.pause is None:
        return ""
    by = f"by {view.pause.by} " if view.pause.by else ""
    until = f", resumes {moments.relative(view.pause.until, now=now)}" if view.pause.until else ""
    because = f": {view.pause.reason}" if view.pause.reason else ""
    return f"{by}{moments.relative(view.pause.since, now=now)}{until}{because}"


def queue_json(view: QueueView) -> dict[str, Any]:
    counts = {
        "pending": view.pending,
        "scheduled": view.scheduled,
        "failed": view.failed,
        "processing": view.processing,
        "dead": view.dead,
    }
    return {
        "queue": view.name,
        **{name: count.value for name, count in counts.items()},
        "capped": [name for name, count in counts.items() if count.is_capped],
        "oldest_wait_seconds": view.oldest_wait_seconds,
        "is_paused": view.pause is not None,
        "paused_at": view.pause.since if view.pause else None,
        "paused_until": view.pause.until if view.pause else None,
        "paused_reason": view.pause.reason if view.pause else None,
        "paused_by": view.pause.by if view.pause else None,
        "completed_last_hour": view.recent_completed,
        "failed_last_hour": view.recent_failed,
        "dead_last_hour": view.recent_dead,
    }


def _pause(options: Namespace, output: Output) -> int:
    now = clock.now()
    known = [view.name for view in _views(now)]
    until = None if options.seconds is None else now + timedelta(seconds=options.seconds)
    queue.pause(options.name, now=now, until=until, reason=_reason(options.reason), by=author())
    when = f" until {present.moment(until, now)}" if until else ""
    output.line(f"{options.name} is paused{when}; running jobs go on. Resume: {_resume_command(options.name)}")
    # Ahead of its first job, or mistyped. Counts have a limit, so the jobs are asked, too.
    if options.name not in known and not stats.newest_jobs(queue=options.name, limit=1):
        others = f"; there are: {', '.join(known)}" if known else ""
        output.note(f"No job has been in {options.name} so far{others}.")
    return 0


def _reason(text: str | None) -> str | None:
    if text is not None and len(text) > REASON_MAX_CHARACTERS:
        raise InvalidInput("--reason", f"must have at most {REASON_MAX_CHARACTERS} characters")
    return None if text is None else new_job.shown(text, REASON_MAX_CHARACTERS) or None


def _resume_command(name: str) -> str:
    return f"queuectl queue resume {shlex.quote(name)}"


def _resume(options: Namespace, output: Output) -> int:
    queue.resume(options.name, now=clock.now(), by=author())
    output.line(f"{options.name} hands out jobs again. Watch: queuectl status --watch")
    return 0
