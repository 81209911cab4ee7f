"""Pausing and resuming a queue, each through its confirmation page."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from jobs import clock, conf, durations, moments, new_job, queue, stats
from jobs.admin import audit, confirm
from jobs.admin.base import QueueAdmin
from jobs.admin.printable import one_line, printable
from jobs.database import atomic
from jobs.errors import InvalidInput, WrongState
from jobs.models import Config

PERMISSION = "jobs.pause_queue"
SEEN_AT = "seen_at"
REASON_CHARACTERS_MAX = 200  # one line, for whoever wonders why nothing runs
PAUSE_CHARACTERS_MAX = 2 * REASON_CHARACTERS_MAX  # with who and until when
PAUSE_SECONDS_MAX = 365 * conf.DAY_SECONDS


def may(model_admin: QueueAdmin, request: HttpRequest) -> bool:
    user: Any = request.user
    return model_admin.has_view_permission(request) and user.has_perm(PERMISSION)


class PauseForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=REASON_CHARACTERS_MAX,
        help_text=_("Shown to everyone who asks why nothing runs."),
    )
    duration = forms.CharField(
        label=_("For how long"),
        required=False,
        help_text=_("Such as %(examples)s. Empty: until someone resumes it.") % {"examples": durations.EXAMPLES},
    )

    def clean_duration(self) -> float | None:
        text = self.cleaned_data["duration"]
        if not text:
            return None
        try:
            seconds = durations.parse(text)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= PAUSE_SECONDS_MAX:
            raise ValidationError(
                _t("must be a duration such as %(examples)s, of at most a year") % {"examples": durations.EXAMPLES}
            )
        return seconds


def pause(model_admin: QueueAdmin, request: HttpRequest, name: str) -> HttpResponse:
    _refuse(model_admin, request, name)
    form = PauseForm(request.POST if confirm.is_confirmed(request) else None)
    if not confirm.is_confirmed(request) or not form.is_valid():
        return confirm.ask(model_admin, request, _pause_question(model_admin, name, form))
    now = clock.now()
    seconds, reason = form.cleaned_data["duration"], form.cleaned_data["reason"] or None
    until = now + timedelta(seconds=seconds) if seconds else None
    with atomic():
        if not _is_answered(request, name, now):
            queue.pause(name, now=now, until=until, reason=reason, by=audit.author(request.user))
            audit.note_change(user=request.user, row=Config(queue=name), message=_log_words(until, reason))
    messages.success(request, _t("Queue %(queue)s is paused.") % {"queue": printable(name)})
    return HttpResponseRedirect(model_admin.url("changelist"))


def _is_answered(request: HttpRequest, name: str, now: datetime) -> bool:
    """Tell whether the queue was paused after the question was shown: a second click on its button changes nothing."""
    pause = stats.pauses(now=now).get(name)
    seen_at = request.POST.get(SEEN_AT)
    return pause is not None and seen_at is not None and moments.iso(pause.since) > seen_at


def resume(model_admin: QueueAdmin, request: HttpRequest, name: str) -> HttpResponse:
    _refuse(model_admin, request, name)
    if not confirm.is_confirmed(request):
        return confirm.ask(model_admin, request, _resume_question(model_admin, name))
    try:
        with atomic():
            queue.resume(name, now=clock.now(), by=audit.author(request.user))
            audit.note_change(user=request.user, row=Config(queue=name), message="resumed")
    except WrongState as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _t("Queue %(queue)s hands out jobs again.") % {"queue": printable(name)})
    return HttpResponseRedirect(model_admin.url("changelist"))


def _refuse(model_admin: QueueAdmin, request: HttpRequest, name: str) -> None:
    if not may(model_admin, request):
        raise PermissionDenied
    try:
        new_job.queue_name(name)
    except InvalidInput as refusal:
        raise Http404(str(refusal)) from refusal


def _pause_question(model_admin: QueueAdmin, name: str, form: PauseForm) -> confirm.Question:
    return confirm.Question(
        title=_t("Pause queue %(queue)s?") % {"queue": printable(name)},
        consequence=_t(
            "No more of its jobs are started until it is resumed. Running jobs go on; new ones can be enqueued."
        ),
        button=_t("Pause the queue"),
        action_url=model_admin.url("pause", name),
        back_url=model_admin.url("change", name),
        form=form,
        hidden={SEEN_AT: moments.iso(clock.now())},
    )


def _resume_question(model_admin: QueueAdmin, name: str) -> confirm.Question:
    pause = stats.pauses(now=clock.now()).get(name)
    note = one_line(pause.text, PAUSE_CHARACTERS_MAX) if pause else _t("There is nothing to do: it is not paused.")
    return confirm.Question(
        title=_t("Resume queue %(queue)s?") % {"queue": printable(name)},
        consequence=_t("Its waiting jobs are started again as workers become free.") if pause else "",
        notes=(capfirst(note),),
        button=_t("Resume the queue") if pause else None,
        action_url=model_admin.url("resume", name),
        back_url=model_admin.url("change", name),
    )


def _log_words(until: datetime | None, reason: str | None) -> str:
    words = "paused" if until is None else f"paused until {moments.iso(until)}"
    return f"{words}: {reason}" if reason else words
