"""What a job's page says: facts, why it waits, its life as a list of events, and its attempts."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, QuerySet, Value, When
from django.db.models.fields import BooleanField
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from jobs import conf, durations, masking, moments, queue, stats
from jobs.admin import cells, knob_field
from jobs.admin.printable import printable, printed
from jobs.models import Attempt, Job
from jobs.states import DEFERRED, FINAL, WAITING, Ending, Kind, State

ATTEMPTS_PER_PAGE = 20
OUTPUT_COLUMNS = ("output_head", "output_tail", "traceback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    label: str
    value: str | SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of text or JSON that may be long. `is_open` ones are not hidden behind their label."""

    label: str
    text: str
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    moment: datetime
    when: SafeString
    text: str
    is_ahead: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    number: int
    ending: SafeString
    started: SafeString
    duration: SafeString
    where: str
    exit_code: int | None
    error: str
    output_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything the template prints. `output` is that of the latest attempt, None where it may not be seen."""

    state: SafeString
    why_title: str
    why: list[stats.Reason]
    facts: list[Fact]
    blocks: list[Block]
    events: list[Event]
    attempts: list[AttemptRow]
    older_before: int | None
    output: list[Block]
    can_see_output: bool
    time_zone: str


def build(job: Job, query: Mapping[str, str], *, output_url: Callable[[int], str] | None, now: datetime) -> Page:
    """Return the page of `job`. `output_url` gives the address of an attempt's output; None: it is not to be seen."""
    attempts = _attempts(job, query.get("before"))
    shown = attempts[:ATTEMPTS_PER_PAGE]
    return Page(
        state=cells.state(job.state),
        why_title=_why_title(job),
        why=[_printable_reason(reason) for reason in stats.why_waiting(job, now=now)],
        facts=list(_facts(job, queue.load_policies(now=now), now)),
        blocks=list(_blocks(job)),
        events=_events(job, shown, now),
        attempts=[_row(attempt, output_url, now) for attempt in shown],
        older_before=shown[-1].fence if len(attempts) > len(shown) else None,
        output=latest_output(job) if output_url else [],
        can_see_output=output_url is not None,
        time_zone=timezone.get_current_timezone_name(),
    )


def _attempts(job: Job, before: str | None) -> list[Any]:
    """Return the newest attempts (or those before a fence) and one more, without what they printed."""
    attempts = Attempt.objects.filter(job=job.pk)
    if before and before.isascii() and before.isdigit() and len(before) <= 18:
        attempts = attempts.filter(fence__lt=int(before))
    return list(_without_output(attempts).order_by("-fence")[: ATTEMPTS_PER_PAGE + 1])


def _without_output(attempts: QuerySet[Attempt]) -> QuerySet[Any]:
    silent = When(output_head="", output_tail="", traceback__isnull=True, then=Value(value=False))
    has_output = Case(silent, default=Value(value=True), output_field=BooleanField())
    return attempts.defer(*OUTPUT_COLUMNS).annotate(has_output=has_output)


def _row(attempt: Any, output_url: Callable[[int], str] | None, now: datetime) -> AttemptRow:
    seconds = attempt.run_seconds
    if attempt.outcome is None:
        seconds = (now - attempt.started_at).total_seconds()
    return AttemptRow(
        number=attempt.number,
        ending=cells.ending(attempt.outcome) if attempt.outcome else cells.state(State.PROCESSING),
        started=cells.exact(attempt.started_at, now=now),
        duration=cells.duration(seconds),
        where=_where(attempt),
        exit_code=attempt.exit_code,
        error=printable(attempt.error or ""),
        output_url=output_url(attempt.fence) if output_url and attempt.has_output else None,
    )


def latest_output(job: Job) -> list[Block]:
    """Return what the latest attempt printed so far."""
    attempt = Attempt.objects.filter(job=job.pk).order_by("-fence").first()
    return [] if attempt is None else list(output_blocks(attempt))


def output_blocks(attempt: Attempt) -> Iterator[Block]:
    """Yield an attempt's output and its traceback, where there are any."""
    number = {"number": attempt.number}
    if attempt.output_head or attempt.output_tail:
        label = _("Output of attempt %(number)d") if attempt.outcome else _("Output of attempt %(number)d so far")
        yield Block(label=label % number, text=printed(attempt.output), is_open=True)
    if attempt.traceback:
        yield Block(
            label=_("Traceback of attempt %(number)d") % number, text=printable(attempt.traceback), is_open=True
        )


def _why_title(job: Job) -> str:
    if job.state in FINAL:
        return _("How it ended")
    return _("Why is it waiting?") if job.state in WAITING else _("What is it doing?")


def _printable_reason(reason: stats.Reason) -> stats.Reason:
    text = reason.text[:1].upper() + reason.text[1:]
    return stats.Reason(code=reason.code, text=f"{printable(text)}.", remedy=reason.remedy and printable(reason.remedy))


def _facts(job: Job, policies: queue.Policies, now: datetime) -> Iterator[Fact]:
    yield Fact(label=_("Kind"), value=_kind(job))
    yield Fact(label=_("Queue"), value=printable(job.queue))
    yield Fact(label=_("Priority"), value=str(job.priority))
    yield Fact(label=_("Attempts"), value=_attempts_spent(job, policies))
    yield Fact(label=_("Backoff"), value=_backoff(job, policies))
    yield Fact(label=_("Timeout"), value=_timeout(job, policies))
    yield Fact(label=_("Enqueued"), value=cells.exact(job.enqueued_at, now=now))
    if job.state in WAITING:
        yield Fact(label=_("Due"), value=cells.exact(job.run_at, now=now))
    if job.supervisor is not None:
        yield Fact(label=_("Runs on"), value=printable(str(job.supervisor)))
    if job.outcome:
        yield Fact(label=_("Last attempt"), value=cells.ending(job.outcome))
    if job.exit_code is not None:
        yield Fact(label=_("Exit code"), value=str(job.exit_code))
    if job.error:
        yield Fact(label=_("Last error"), value=format_html('<span class="qc-wrap">{}</span>', printable(job.error)))


def _kind(job: Job) -> str:
    if job.kind == Kind.TASK:
        return _("task: a Python function")
    return (
        _("shell: a command for /bin/sh")
        if job.uses_shell
        else _("shell: a program and its arguments, without a shell")
    )


def _attempts_spent(job: Job, policies: queue.Policies) -> str:
    values = {"spent": job.attempts, "postponed": job.postponements, "queue": printable(job.queue)}
    if job.max_retries is not None:
        text = _("%(spent)d of %(limit)d (its own limit)") % (values | {"limit": job.max_retries + 1})
    else:
        limit = int(policies.value("max_retries", job.queue)) + 1
        text = _("%(spent)d of %(limit)d (as set for queue %(queue)s)") % (values | {"limit": limit})
    if job.postponements:
        text += "; " + _("postponed %(postponed)d times at no charge, as it asked") % values
    return text


def _backoff(job: Job, policies: queue.Policies) -> str:
    own = {"backoff_base": job.backoff_base, "backoff_max": job.backoff_max_seconds}
    held = {name: policies.value(name, job.queue) if value is None else value for name, value in own.items()}
    values = {name: knob_field.shown(conf.KNOBS[name], value) for name, value in held.items()}
    values["queue"] = printable(job.queue)
    if None not in own.values():
        return _("%(backoff_base)s ** n seconds, at most %(backoff_max)s (its own)") % values
    if any(value is not None for value in own.values()):
        return _("%(backoff_base)s ** n seconds, at most %(backoff_max)s (partly its own)") % values
    return _("%(backoff_base)s ** n seconds, at most %(backoff_max)s (as set for queue %(queue)s)") % values


def _timeout(job: Job, policies: queue.Policies) -> str:
    if job.timeout_seconds is not None:
        return _("%(time)s (its own)") % {"time": _limit(job.timeout_seconds)}
    values = {"time": _limit(policies.timeout_seconds(job.queue)), "queue": printable(job.queue)}
    return _("%(time)s (as set for queue %(queue)s)") % values


def _limit(seconds: float | None) -> str:
    return durations.text(seconds) if seconds else _("none")


def _blocks(job: Job) -> Iterator[Block]:
    """Yield what is executed; values under names that sound secret are hidden."""
    if job.kind == Kind.SHELL:
        yield Block(label=_("Command"), text=printable(job.command or ""), is_open=True)
    else:
        yield Block(label=_("Task"), text=printable(job.task or ""), is_open=True)
        yield Block(label=_("Arguments"), text=_json(job.args or []))
        yield Block(label=_("Named arguments"), text=_json(job.kwargs or {}))
    if job.return_value is not None:
        yield Block(label=_("Return value"), text=_json(job.return_value))
    if job.cwd:
        yield Block(label=_("Directory"), text=printable(job.cwd), is_open=True)
    if job.env:
        yield Block(label=_("Environment"), text=_environment(masking.masked(job.env)))


def _json(value: Any) -> str:
    return printable(json.dumps(masking.masked(value), indent=2, ensure_ascii=False))


def _environment(env: Any) -> str:
    if not isinstance(env, Mapping):  # only a row written by hand has one
        return _json(env)
    return "\n".join(f"{printable(str(name))}={printable(str(value))}" for name, value in sorted(env.items()))


def _events(job: Job, attempts: list[Any], now: datetime) -> list[Event]:
    events = [*_beginning(job), *_middle(attempts), *_end(job, attempts)]
    return [
        Event(moment=moment, when=cells.exact(moment, now=now), text=text, is_ahead=moment > now)
        for moment, text in sorted(events, key=lambda event: event[0])
    ]


def _beginning(job: Job) -> Iterator[tuple[datetime, str]]:
    yield job.enqueued_at, _("Enqueued in queue %(queue)s.") % {"queue": printable(job.queue)}
    if job.state == State.PROCESSING and job.claimed_at is not None:
        owner = {"owner": str(job.supervisor) if job.supervisor else "?"}
        yield job.claimed_at, _("Claimed by supervisor %(owner)s.") % owner
    if job.cancel_requested_at is not None:
        yield job.cancel_requested_at, _("A person asked for it to stop.")


def _middle(attempts: list[Any]) -> Iterator[tuple[datetime, str]]:
    for attempt in attempts:
        values = {"number": attempt.number, "where": _where(attempt)}
        yield attempt.started_at, _("Attempt %(number)d started on %(where)s.") % values
        if attempt.finished_at is not None:
            yield attempt.finished_at, _ended(attempt)


def _ended(attempt: Any) -> str:
    how = str(Ending(attempt.outcome).label) if attempt.outcome else "?"
    if attempt.exit_code is not None:
        how = _("%(how)s with exit code %(code)d") % {"how": how, "code": attempt.exit_code}
    took = moments.rough(attempt.run_seconds) if attempt.run_seconds is not None else "?"
    return _("Attempt %(number)d ended after %(took)s: %(how)s.") % {"number": attempt.number, "took": took, "how": how}


def _end(job: Job, attempts: list[Any]) -> Iterator[tuple[datetime, str]]:
    if job.finished_at is not None:
        yield job.finished_at, _END[State(job.state)]()
    elif job.state in DEFERRED:
        yield job.run_at, _("Attempt %(number)d is due.") % {"number": job.attempts + 1}
    elif job.state == State.PENDING and attempts:
        yield job.run_at, _("Ready to run again.")


_END: dict[State, Callable[[], str]] = {
    State.COMPLETED: lambda: _("Completed."),
    State.DEAD: lambda: _("Gave up: moved to the Dead Letter Queue."),
    State.CANCELLED: lambda: _("Cancelled."),
}


def _where(attempt: Any) -> str:
    host = printable(attempt.host)
    return _("%(host)s, process %(pid)d") % {"host": host, "pid": attempt.pid} if attempt.pid else host
