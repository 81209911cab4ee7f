"""The page that changes where a job waits, until when, and how it is retried. What it executes has no form anywhere.

A waiting job is saved; a finished one is saved and requeued in one step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from jobs import clock, conf, queue
from jobs.admin import audit, outage
from jobs.admin.base import QueueAdmin
from jobs.admin.knob_field import KnobField, shown
from jobs.database import atomic
from jobs.errors import InvalidInput, QueueError
from jobs.models import Job
from jobs.states import DEFERRED, FINAL, WAITING, State

# The fields that a job may leave to its queue, and their columns.
KNOBS = {
    "max_retries": "max_retries",
    "backoff_base": "backoff_base",
    "backoff_max": "backoff_max_seconds",
    "timeout": "timeout_seconds",
}
FENCE, WAY = "fence", "way"  # what travels with the form: how the job was, and which of the two was offered


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What the button of the page does, and to jobs in which states."""

    name: str
    states: frozenset[State]
    permissions: tuple[str, ...]
    change: Callable[..., None]
    intro: str | Promise
    button: str | Promise
    done: str | Promise
    log_words: str  # for the log, which is not translated; may be empty


SAVE = Way(
    name="save",
    states=WAITING,
    permissions=("jobs.change_retry",),
    change=queue.change_settings,
    intro=_("They hold from the next attempt on."),
    button=_("Save"),
    done=_("The settings of %(id)s were changed."),
    log_words="",
)
REQUEUE = Way(
    name="requeue",
    states=FINAL,
    permissions=("jobs.change_retry", "jobs.requeue_job"),
    change=queue.change_and_requeue,
    intro=_(
        "It runs again with all its attempts ahead of it. What it did before stays in its history. "
        "Whatever it does, it may do a second time."
    ),
    button=_("Save and requeue"),
    done=_("Job %(id)s was requeued."),  # the admin capitalises what it reports, and an id must not be
    log_words="requeued",
)
WAYS = (SAVE, REQUEUE)


def may(model_admin: QueueAdmin, request: HttpRequest, state: str) -> bool:
    """Tell whether this person may change a job in that state, if it can be changed at all."""
    return any(state in way.states and _may(model_admin, request, way) for way in WAYS)


def _may(model_admin: QueueAdmin, request: HttpRequest, way: Way) -> bool:
    user: Any = request.user
    return model_admin.has_view_permission(request) and user.has_perms(way.permissions)


class SettingsForm(forms.Form):
    """Reads texts; the queue judges them. Each field knows what it showed: only what the person changed is changed."""

    queue = forms.CharField(label=_("Queue"), strip=False, show_hidden_initial=True)
    priority = forms.CharField(
        label=_("Priority"), help_text=_("−100 to 100; larger runs sooner."), show_hidden_initial=True
    )
    run_at = forms.DateTimeField(
        label=_("Not before"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
        show_hidden_initial=True,
    )
    max_retries = KnobField(knob=conf.KNOBS["max_retries"], show_hidden_initial=True)
    backoff_base = KnobField(knob=conf.KNOBS["backoff_base"], show_hidden_initial=True)
    backoff_max = KnobField(knob=conf.KNOBS["backoff_max"], show_hidden_initial=True)
    timeout = KnobField(knob=conf.KNOBS["timeout"], show_hidden_initial=True)

    def __init__(self, answer: Any, *, job: Job) -> None:
        super().__init__(answer, initial=_initial(job))
        zone = timezone.get_current_timezone_name()
        self.fields["run_at"].help_text = _t("In %(zone)s. Empty: as soon as a worker is free.") % {"zone": zone}
        policies = queue.load_policies(now=clock.now())
        for name in KNOBS:
            inherited = shown(conf.KNOBS[name], policies.value(name, job.queue))
            self.fields[name].widget.attrs["placeholder"] = inherited

    def changes(self) -> dict[str, Any]:
        """Return what the person changed, as fields of the JSON form."""
        changes = {name: self.cleaned_data[name] for name in self.changed_data}
        try:
            return changes | {name: int(changes[name]) for name in ("priority",) if name in changes}
        except ValueError:
            return changes


def _initial(job: Job) -> dict[str, Any]:
    own = {name: getattr(job, column) for name, column in KNOBS.items()}
    run_at = job.run_at if job.state in DEFERRED else None
    return {"queue": job.queue, "priority": str(job.priority), "run_at": run_at, **own}


def view(model_admin: QueueAdmin, request: HttpRequest, job_id: str) -> HttpResponse:
    if not any(_may(model_admin, request, way) for way in WAYS):
        raise PermissionDenied
    job = model_admin.get_object(request, job_id)
    if job is None and request.method == "POST":  # a second click, when the first has taken it from the dead letters
        messages.warning(request, _t("%(id)s is not in this list any more; nothing was changed.") % {"id": job_id})
        return HttpResponseRedirect(model_admin.url("changelist"))
    if job is None:
        raise Http404(f"There is no job {job_id}.")
    way = _asked(request) if request.method == "POST" else _offered(job)
    if way is None:
        messages.warning(request, _t("%(id)s runs; it can be changed before or after that.") % {"id": job.pk})
        return HttpResponseRedirect(model_admin.url("change", job.pk))
    if not _may(model_admin, request, way):
        raise PermissionDenied
    form = SettingsForm(request.POST if request.method == "POST" else None, job=job)
    if request.method == "POST" and form.is_valid() and _is_answered(request, job, way, form):
        return HttpResponseRedirect(_back_url(model_admin, request, job))
    return _page(model_admin, request, job, way=way, form=form)


def _offered(job: Job) -> Way | None:
    return next((way for way in WAYS if job.state in way.states), None)


def _asked(request: HttpRequest) -> Way:
    for way in WAYS:
        if request.POST.get(WAY) == way.name and _fence(request) is not None:
            return way
    raise BadRequest(f"{WAY} or {FENCE} is missing")


def _fence(request: HttpRequest) -> int | None:
    text = request.POST.get(FENCE, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _page(model_admin: QueueAdmin, request: HttpRequest, job: Job, *, way: Way, form: SettingsForm) -> HttpResponse:
    title = _t("Settings of %(id)s") % {"id": job.pk}
    # Of an answer that was refused: still as the person saw the job.
    fence = _fence(request) if request.method == "POST" else job.fence
    context = {
        "form": form,
        "intro": f"{way.intro} {_EMPTY}",
        "button": way.button,
        "hidden": {FENCE: fence, WAY: way.name},
        "back_url": model_admin.url("change", job.pk),
    }
    return model_admin.page(request, "form.html", title, **context)


_EMPTY = _(
    "Retries, backoff and timeout may be left empty: then what is set for the queue holds, also when that is changed "
    "later."
)


def _is_answered(request: HttpRequest, job: Job, way: Way, form: SettingsForm) -> bool:
    """Do what was asked for and say so; say what is wrong with the form, and return False, if the queue refuses it."""
    if not form.changed_data and way is SAVE:
        messages.info(request, _t("Nothing was changed."))
        return True
    try:
        with outage.told(request):
            _change(request, job, way, form)
    except InvalidInput as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        return False
    except QueueError as refusal:
        messages.warning(request, str(refusal))
    return True


@atomic()
def _change(request: HttpRequest, job: Job, way: Way, form: SettingsForm) -> None:
    """Change and log in one transaction: there is no change without its trace."""
    changes = form.changes()
    way.change(job.pk, fields=changes, fence=_fence(request), now=clock.now())
    words = [way.log_words] if way.log_words else []
    told = [f"{name}: {form.initial[name]} → {form.cleaned_data[name]}" for name in changes]
    audit.note_change(user=request.user, row=Job(pk=job.pk), message="; ".join(words + told))
    messages.success(request, way.done % {"id": job.pk})


def _back_url(model_admin: QueueAdmin, request: HttpRequest, job: Job) -> str:
    """Return to the job's page; from the Dead Letter Queue, which a requeued job has left, to that list."""
    is_here = model_admin.get_queryset(request).filter(pk=job.pk).exists()
    return model_admin.url("change", job.pk) if is_here else model_admin.url("changelist")
