"""Asking workers to stop: the question, and passing it on through the database."""

import json
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from jobs import clock, moments, queue
from jobs.admin import audit, confirm
from jobs.admin.base import QueueAdmin
from jobs.admin.printable import printable
from jobs.database import atomic
from jobs.models import Supervisor

PERMISSION = "jobs.stop_supervisor"
NAMED = "supervisor"
IDS = "ids"
IDS_MAX = 1_000
EXAMPLES_MAX = 3
CONSEQUENCE = gettext_lazy(
    "They claim nothing new and let what runs finish for as long as their --grace allows. What is not finished by then "
    "is ended and given back; it costs no attempt. A service manager may start them again."
)


def may(model_admin: QueueAdmin, request: HttpRequest) -> bool:
    user: Any = request.user
    return model_admin.has_view_permission(request) and user.has_perm(PERMISSION)


def from_list(model_admin: QueueAdmin, request: HttpRequest) -> HttpResponse:
    """Answer the action chosen on the list with its confirmation page."""
    if not may(model_admin, request):
        raise PermissionDenied
    is_all = request.POST.get("select_across") == "1"
    return _ask(model_admin, request, None if is_all else _numbers(request.POST.getlist(ACTION_CHECKBOX_NAME)))


def view(model_admin: QueueAdmin, request: HttpRequest) -> HttpResponse:
    """Show the confirmation page, or, on its POST, do what it said. None named: all that are running."""
    if not may(model_admin, request):
        raise PermissionDenied
    ids = _ids(request)
    if not confirm.is_confirmed(request):
        return _ask(model_admin, request, ids)
    _stop(request, _running(model_admin, request, ids))
    return HttpResponseRedirect(model_admin.url("changelist"))


def _ids(request: HttpRequest) -> list[int] | None:
    if IDS not in request.POST:
        return _numbers([request.GET[NAMED]]) if NAMED in request.GET else None
    try:
        ids = json.loads(request.POST[IDS])
    except (ValueError, RecursionError):
        ids = ()
    if not isinstance(ids, list):
        raise BadRequest("ids must be a list")
    return _numbers(ids)


def _numbers(values: list[Any]) -> list[int]:
    try:
        numbers = [int(value) for value in values[:IDS_MAX]]
    except (TypeError, ValueError, OverflowError):  # JSON knows Infinity, which is no whole number
        raise BadRequest("ids must be numbers") from None
    return [number for number in numbers if 0 < number < 2**63]


def _running(model_admin: QueueAdmin, request: HttpRequest, ids: list[int] | None) -> list[Supervisor]:
    """Return those that run and were not asked yet."""
    rows = model_admin.get_queryset(request)
    rows = rows.filter(stopped_at__isnull=True, lost_at__isnull=True, stop_requested_at__isnull=True)
    return list(rows if ids is None else rows.filter(pk__in=ids))


def _ask(model_admin: QueueAdmin, request: HttpRequest, ids: list[int] | None) -> HttpResponse:
    rows = _running(model_admin, request, ids)
    count = {"count": len(rows)}
    nothing = _("There is nothing to do: they have stopped, or were asked to already.")
    question = confirm.Question(
        title=ngettext("Stop %(count)s supervisor?", "Stop %(count)s supervisors?", len(rows)) % count,
        consequence=str(CONSEQUENCE) if rows else "",
        notes=() if rows else (nothing,),
        examples=[_example(row) for row in rows[:EXAMPLES_MAX]],
        button=ngettext("Stop %(count)s supervisor", "Stop %(count)s supervisors", len(rows)) % count if rows else None,
        is_destructive=True,
        action_url=model_admin.url("stop"),
        back_url=model_admin.url("changelist"),
        hidden={IDS: json.dumps([row.pk for row in rows])},
    )
    return confirm.ask(model_admin, request, question)


def _example(row: Supervisor) -> tuple[str, str]:
    return printable(str(row)), _("running since %(time)s") % {"time": moments.absolute(row.started_at)}


def _stop(request: HttpRequest, rows: list[Supervisor]) -> None:
    with atomic():
        asked = queue.request_stop(ids=[row.pk for row in rows], grace_seconds=None, now=clock.now())
        for row in rows:
            if row.pk in asked:  # else it ended between the two statements
                audit.note_change(user=request.user, row=row, message="asked to stop")
    if not asked:
        messages.warning(request, _("There was nothing to do: they have stopped, or were asked to already."))
        return
    text = ngettext("%(count)s supervisor was asked to stop.", "%(count)s supervisors were asked to stop.", len(asked))
    messages.success(request, text % {"count": len(asked)})
