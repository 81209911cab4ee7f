"""The page that the link in a message leads to: whether what was just done is to be undone, and the report of that."""

from collections import Counter
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from jobs import clock, queue
from jobs.admin import acting, audit, bulk, confirm, outage
from jobs.admin.base import QueueAdmin, is_askable
from jobs.admin.paging import Count
from jobs.admin.verbs import JobVerb
from jobs.database import atomic
from jobs.errors import QueueError
from jobs.states import State

# By the state in which the verb left the jobs.
CONSEQUENCES = {
    State.PENDING: _("They are completed, dead or cancelled again, as they were. What has started meanwhile goes on."),
    State.CANCELLED: _(
        "They wait again as they did, and run when it is their turn. Running jobs that were asked to stop do not come "
        "back."
    ),
}
REASONS = {
    queue.Left.STARTED: _("%(count)s had started already"),
    queue.Left.CHANGED: _("%(count)s changed meanwhile"),
    queue.Left.GONE: _("%(count)s no longer here"),
}


def view(model_admin: QueueAdmin, request: HttpRequest, verb: JobVerb) -> HttpResponse:
    """Ask; on POST put the jobs back and say exactly what became of them. Needs the permission of what is undone."""
    acting.refuse_without_permission(model_admin, request, verb)
    action, user = request.GET.get(acting.UNDO, ""), str(request.user.pk)
    if not is_askable(action) or not is_askable(request.GET.get(acting.NAMED, "")):
        raise BadRequest("undo and job must be ids")
    found = queue.kept(action=action, user=user, now=clock.now())
    if found is not None and found.state is not verb.rule.leaves:
        found = None  # it was another verb, which needs another permission
    back_url = acting.back_url(model_admin, request, request.GET.get(acting.NAMED))
    if not confirm.is_confirmed(request):
        return confirm.ask(model_admin, request, _question(request, found, back_url))
    if found is None:
        messages.warning(request, _NOTHING)
        return HttpResponseRedirect(back_url)
    try:
        with outage.told(request):
            _report(request, _put_back(request.user, action, verb, found))
    except QueueError as refusal:
        messages.warning(request, str(refusal))
    # Asked for once more: it may be on its list again.
    return HttpResponseRedirect(acting.back_url(model_admin, request, request.GET.get(acting.NAMED)))


_NOTHING = _("There is nothing to undo: it was undone already, or the minute for it is over.")


def _question(request: HttpRequest, found: queue.Kept | None, back_url: str) -> confirm.Question:
    address = request.get_full_path()
    if found is None:
        return confirm.Question(
            title=_t("Undo"), consequence="", notes=[str(_NOTHING)], button=None, action_url=address, back_url=back_url
        )
    count = {"count": Count(found.count)}
    until = timezone.localtime(found.until)
    limit = {"time": f"{until:%H:%M:%S}", "zone": timezone.get_current_timezone_name()}
    return confirm.Question(
        title=ngettext("Put %(count)s job back?", "Put %(count)s jobs back?", found.count) % count,
        consequence=str(CONSEQUENCES[found.state]),
        notes=[_t("This can be done until %(time)s (%(zone)s).") % limit],
        button=ngettext("Put %(count)s job back", "Put %(count)s jobs back", found.count) % count,
        action_url=address,
        back_url=back_url,
    )


def _put_back(user: Any, action: str, verb: JobVerb, found: queue.Kept) -> Counter[queue.Left | None]:
    """Put the jobs back and log it; return how many were (None), and how many were left for which reason."""
    parts = queue.undo(action=action, user=str(user.pk), now=clock.now())
    if found.count > bulk.EACH_MAX:
        return _summarised(user, parts, verb)
    with atomic():  # there is no change without its trace
        done = list(parts)
        ids = [id_ for part in done for id_ in part.put_back]
        audit.note_jobs(user=user, ids=ids, flag=CHANGE, message=f"put back, undoing: {verb.log_words}")
    return sum((_counted(part) for part in done), Counter())


def _summarised(user: Any, parts: Any, verb: JobVerb) -> Counter[queue.Left | None]:
    entry = audit.begin_summary(user=user, flag=CHANGE, scope=f"undo of: {verb.log_words}")
    total: Counter[queue.Left | None] = Counter()
    for part in parts:
        total += _counted(part)
        audit.update_summary(entry, f"{Count(total[None])} put back")
    return total


def _counted(part: queue.Undone) -> Counter[queue.Left | None]:
    return Counter({None: len(part.put_back)}) + Counter(part.left.values())


def _report(request: HttpRequest, total: Counter[queue.Left | None]) -> None:
    parts = [_t("%(count)s put back") % {"count": Count(total[None])}]
    parts += [str(text) % {"count": Count(total[why])} for why, text in REASONS.items() if total[why]]
    messages.add_message(request, messages.SUCCESS if total[None] else messages.WARNING, f"{', '.join(parts)}.")
