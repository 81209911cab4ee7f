"""Doing one thing to many jobs: in short transactions, with a trace of each, and an account of what was left alone."""

import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from jobs import queue
from jobs.admin import audit
from jobs.admin.paging import Count, capped_count
from jobs.admin.verbs import JobVerb
from jobs.database import atomic
from jobs.models import Job
from jobs.states import State

EACH_MAX = (
    1_000  # jobs that are done and logged one by one, in one transaction; larger sets go in chunks with a summary
)
SECONDS_MAX = 20.0  # web servers end a request after 30; what is left over can be done by asking again


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which jobs a person means: `ids` that were ticked or named, or, if None, all that match the filter.

    `scope` is the filter in words. Jobs that came to match after `seen_at` are not meant.
    """

    jobs: QuerySet[Any]
    ids: tuple[str, ...] | None
    scope: str
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it. `skipped` counts by the reason; `refusal` is the whole story where a single job was named.

    `undo` is the name by which the queue undoes it; None: there is nothing that could be.
    """

    changed: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    refusal: str | None = None
    is_finished: bool = True
    undo: str | None = None


def eligible(verb: JobVerb, selection: Selection) -> QuerySet[Any]:
    """Return the jobs that the verb would change."""
    jobs = selection.jobs.filter(state__in=sorted(verb.rule.states))
    if selection.ids is None:
        jobs = jobs.filter(**{f"{verb.dated_by}__lte": selection.seen_at})
    return jobs.exclude(verb.settled) if verb.settled else jobs


def left_alone(verb: JobVerb, selection: Selection) -> QuerySet[Any]:
    """Return the jobs that are meant, but are in a state to which the verb does not apply."""
    return selection.jobs.exclude(state__in=sorted(verb.rule.states))


def carry_out(verb: JobVerb, selection: Selection, *, user: Any, now: datetime) -> Done:
    """Do it, log it, and return what came of it. The queue keeps what it takes to undo it, for the one who did it."""
    action = secrets.token_hex(16)
    if verb.is_undoable and is_few(verb, selection):
        verb = replace(verb, rule=queue.undoable(verb.rule, action=action, user=str(user.pk)))
    done = _matching(verb, selection, user, now) if selection.ids is None else _named(verb, selection, user, now)
    is_kept = queue.kept(action=action, user=str(user.pk), now=now) is not None
    return replace(done, undo=action) if is_kept else done


def is_few(verb: JobVerb, selection: Selection) -> bool:
    """Tell whether these are few enough to be counted, and to be kept for an undo."""
    return selection.ids is not None or not capped_count(eligible(verb, selection)).is_capped


def _matching(verb: JobVerb, selection: Selection, user: Any, now: datetime) -> Done:
    ids = list(eligible(verb, selection).order_by().values_list("pk", flat=True)[: EACH_MAX + 1])
    skipped = _states(left_alone(verb, selection))
    if len(ids) > EACH_MAX:
        return _in_chunks(verb, selection, user=user, now=now, skipped=skipped)
    message = f"{verb.log_words}, as one of {len(ids)} that matched: {selection.scope}"
    report = _each(verb, ids, user=user, now=now, message=message)
    return Done(changed=len(report.changed), skipped=skipped + _reasons(report.refused))


def _named(verb: JobVerb, selection: Selection, user: Any, now: datetime) -> Done:
    assert selection.ids is not None
    # Only what the list shows to this person may be touched, whatever ids the request names.
    listed = set(selection.jobs.values_list("pk", flat=True))
    settled = set(selection.jobs.filter(verb.settled).values_list("pk", flat=True)) if verb.settled else set()
    ids = [id_ for id_ in selection.ids if id_ in listed - settled]
    message = f"{verb.log_words}, as one of {len(ids)} selected" if len(ids) > 1 else verb.log_words
    report = _each(verb, ids, user=user, now=now, message=message)
    unlisted = len(selection.ids) - len(listed)
    skipped = _reasons(report.refused) + Counter({str(verb.settled_words): len(settled), _("no longer here"): unlisted})
    refusal = str(next(iter(report.refused.values()))) if len(selection.ids) == len(report.refused) == 1 else None
    return Done(changed=len(report.changed), skipped=skipped, refusal=refusal)


@atomic()
def _each(verb: JobVerb, ids: Sequence[str], *, user: Any, now: datetime, message: str) -> queue.Report:
    """Change and log in one transaction: there is no change without its trace."""
    report = queue.apply_together(verb.rule, ids, now=now)
    audit.note_jobs(user=user, ids=report.changed, flag=verb.log_flag, message=message)
    return report


def _in_chunks(verb: JobVerb, selection: Selection, *, user: Any, now: datetime, skipped: Mapping[str, int]) -> Done:
    entry = audit.begin_summary(user=user, flag=verb.log_flag, scope=selection.scope)
    deadline = time.monotonic() + SECONDS_MAX
    changed = 0
    for number in queue.apply_to_all(verb.rule, eligible(verb, selection), now=now):
        changed += number
        audit.update_summary(entry, f"{Count(changed)} {verb.log_words}")
        if time.monotonic() >= deadline:
            return Done(changed=changed, skipped=skipped, is_finished=False)
    return Done(changed=changed, skipped=skipped)


def _reasons(refused: Mapping[str, Any]) -> Counter[str]:
    """Return how many of the refused jobs are in which state, or gone."""
    found = _states(Job.objects.filter(pk__in=list(refused)))
    return found + Counter({_("no longer here"): len(refused) - sum(found.values())})


def _states(jobs: QuerySet[Any]) -> Counter[str]:
    states = jobs.order_by().values_list("state", flat=True)[:EACH_MAX]
    return Counter(str(State(state).label) for state in states)
