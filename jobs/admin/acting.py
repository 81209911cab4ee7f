"""From a click on a list or a page of jobs to the change: what is meant, the question, and the report."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from jobs import clock, moments
from jobs.admin import bulk, confirm, outage
from jobs.admin.base import QueueAdmin, is_askable
from jobs.admin.paging import Count, capped_count
from jobs.admin.printable import one_line
from jobs.admin.verbs import JobVerb

NAMED = "job"  # the parameter that names one job, on its way from the job's page
IDS = "ids"  # the field that carries the ticked jobs, all in one: a field per row would meet Django's limit of 1,000
SEEN_AT = "seen_at"
UNDO = "undo"  # the parameter that says what is to be undone
EXAMPLES_MAX = 3


def may(model_admin: QueueAdmin, request: HttpRequest, verb: JobVerb) -> bool:
    """Tell whether this person may see the list and do this to its jobs. Neither comes with the other."""
    user: Any = request.user
    return model_admin.has_view_permission(request) and user.has_perm(verb.permission)


def from_list(model_admin: QueueAdmin, request: HttpRequest, verb: JobVerb) -> HttpResponse:
    """Answer an action chosen on the list with its confirmation page."""
    refuse_without_permission(model_admin, request, verb)
    is_all = request.POST.get("select_across") == "1"
    ids = None if is_all else _checked(request.POST.getlist(ACTION_CHECKBOX_NAME))
    return _ask(model_admin, request, verb, _selection(model_admin, request, ids, clock.now()))


def view(model_admin: QueueAdmin, request: HttpRequest, verb: JobVerb) -> HttpResponse:
    """Show the confirmation page, or, on its POST, do what it said."""
    refuse_without_permission(model_admin, request, verb)
    try:
        selection = _selection(model_admin, request, _ids(request), _seen_at(request))
    except IncorrectLookupParameters:
        return HttpResponseRedirect(model_admin.url("changelist") + "?e=1")
    if not confirm.is_confirmed(request):
        return _ask(model_admin, request, verb, selection)
    with outage.told(request):
        done = bulk.carry_out(verb, selection, user=request.user, now=clock.now())
        _report(request, verb, done, undo_url=_undo_url(model_admin, request, verb, done))
    return HttpResponseRedirect(back_url(model_admin, request, _named(selection)))


def refuse_without_permission(model_admin: QueueAdmin, request: HttpRequest, verb: JobVerb) -> None:
    if not may(model_admin, request, verb):
        raise PermissionDenied


def _ids(request: HttpRequest) -> tuple[str, ...] | None:
    if IDS in request.POST:
        return _ids_from(request.POST[IDS])
    return _checked([request.GET[NAMED]]) if NAMED in request.GET else None


def _ids_from(text: str) -> tuple[str, ...]:
    try:
        ids = json.loads(text)
    except (ValueError, RecursionError):
        ids = None
    if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids) or len(ids) > bulk.EACH_MAX:
        raise BadRequest("ids must be a list of at most 1,000 ids")
    return _checked(dict.fromkeys(ids))


def _checked(ids: Iterable[str]) -> tuple[str, ...]:
    checked = tuple(ids)
    if not all(map(is_askable, checked)):
        raise BadRequest("ids must be of jobs")
    return checked


def _seen_at(request: HttpRequest) -> datetime:
    """Return when the page that was confirmed was made. Without a sound answer nothing is old enough to be meant."""
    if request.method != "POST":
        return clock.now()
    seen_at = _moment(request.POST.get(SEEN_AT, ""))
    if seen_at is None:
        raise BadRequest("seen_at is missing")
    return min(seen_at, clock.now())


def _moment(text: str) -> datetime | None:
    """Return a time in UTC; None if the text is none, or one that UTC, at either end of the calendar, does not know."""
    try:
        moment = parse_datetime(text)
        return moment.astimezone(UTC) if moment is not None and timezone.is_aware(moment) else None
    except (ValueError, OverflowError):
        return None


def _selection(
    model_admin: QueueAdmin, request: HttpRequest, ids: tuple[str, ...] | None, seen_at: datetime
) -> bulk.Selection:
    if ids is not None:
        jobs = model_admin.get_queryset(request).filter(pk__in=ids)
        return bulk.Selection(jobs=jobs, ids=ids, scope="", seen_at=seen_at)
    changelist = model_admin.get_changelist_instance(request)
    jobs = changelist.get_queryset(request)
    return bulk.Selection(jobs=jobs, ids=None, scope=in_words(changelist), seen_at=seen_at)


def in_words(changelist: ChangeList) -> str:
    """Return what a list is filtered by, as a person would say it."""
    chosen: list[str] = []
    for spec in changelist.filter_specs:
        picked = [choice for choice in spec.choices(changelist) if choice.get("selected")]
        is_filtering = any(name in changelist.params for name in spec.expected_parameters())
        if picked and is_filtering:
            chosen.append(f"{spec.title}: {picked[0]['display']}")
    if changelist.query:
        chosen.append(_("search: %(text)s") % {"text": changelist.query})
    return "; ".join(chosen) or _("every job in the list")


def _ask(model_admin: QueueAdmin, request: HttpRequest, verb: JobVerb, selection: bulk.Selection) -> HttpResponse:
    jobs = bulk.eligible(verb, selection)
    count = capped_count(jobs)
    named = _named(selection)
    question = confirm.Question(
        title=str(verb.title_one % {"id": one_line(named, 64)} if named else verb.title % {"count": count}),
        scope=selection.scope,
        consequence=str(verb.consequence) if count else "",
        notes=_notes(verb, selection, count),
        examples=_examples(jobs),
        button=str(verb.button % {"count": count}) if count else None,
        is_destructive=verb.is_destructive,
        action_url=f"{model_admin.url(verb.name)}?{_query(request).urlencode()}",
        back_url=back_url(model_admin, request, named),
        hidden=_hidden(selection),
    )
    return confirm.ask(model_admin, request, question)


def _named(selection: bulk.Selection) -> str | None:
    return selection.ids[0] if selection.ids and len(selection.ids) == 1 else None


def _hidden(selection: bulk.Selection) -> Mapping[str, str]:
    seen_at = {SEEN_AT: moments.iso(selection.seen_at)}
    return seen_at if selection.ids is None else seen_at | {IDS: json.dumps(selection.ids)}


def _notes(verb: JobVerb, selection: bulk.Selection, count: Count) -> list[str]:
    others = capped_count(bulk.left_alone(verb, selection))
    notes: list[Any] = []
    if others:
        one, many = "%(count)s job is left as it is: %(why)s.", "%(count)s jobs are left as they are: %(why)s."
        notes.append(ngettext(one, many, others) % {"count": others, "why": verb.rule.refusal.format(id="JOB")})
    if not count and not others:
        notes.append(_("There is nothing to do: no such job is here any more, or it is done already."))
    if count and verb.is_undoable:
        notes.append(_TOO_MANY if count.is_capped else _UNDOABLE)
    return [str(note) for note in notes]


_UNDOABLE = gettext_lazy("For a minute this can be undone, where nothing has started.")
_TOO_MANY = gettext_lazy("These are more than can be undone.")


def _examples(jobs: Any) -> list[tuple[str, str]]:
    rows = jobs.order_by().values_list("pk", Coalesce("task", "command_start"))
    return [(pk, one_line(what, 120)) for pk, what in rows[:EXAMPLES_MAX]]


def _undo_url(model_admin: QueueAdmin, request: HttpRequest, verb: JobVerb, done: bulk.Done) -> str | None:
    """Return the address of the page that asks whether it is to be undone; it leads back to the same list."""
    if done.undo is None:
        return None
    query = _query(request)
    query[UNDO] = done.undo
    return f"{model_admin.url(f'{verb.name}_undo')}?{query.urlencode()}"


def _report(request: HttpRequest, verb: JobVerb, done: bulk.Done, *, undo_url: str | None) -> None:
    if done.refusal and not done.changed:
        messages.warning(request, done.refusal)
        return
    text = str(verb.done % {"count": Count(done.changed)})
    if done.skipped:
        why = ", ".join(f"{Count(number)} {reason}" for reason, number in sorted(done.skipped.items()))
        skipped = {"count": Count(sum(done.skipped.values())), "why": why}
        text += ", " + _("%(count)s skipped (%(why)s)") % skipped
    if not done.is_finished:
        text += ". " + _("The time for one request ran out; do the same again for the rest")
    is_good = done.changed and done.is_finished
    link = format_html(' <a href="{}">{}</a>', undo_url, _("Undo")) if undo_url else ""
    messages.add_message(request, messages.SUCCESS if is_good else messages.WARNING, format_html("{}.{}", text, link))


def _query(request: HttpRequest) -> QueryDict:
    query = request.GET.copy()
    for name in ("e", "p", UNDO):
        query.pop(name, None)
    return query


def back_url(model_admin: QueueAdmin, request: HttpRequest, job_id: str | None) -> str:
    """Return to where the person came from: the job's page while there is one, else the list as it was filtered."""
    query = _query(request)
    came_from_job = query.pop(NAMED, None) and job_id is not None
    if came_from_job and model_admin.get_queryset(request).filter(pk=job_id).exists():
        return model_admin.url("change", str(job_id))
    return f"{model_admin.url('changelist')}?{query.urlencode()}".rstrip("?")
