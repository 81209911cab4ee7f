"""The page that changes how a waiting job is retried. What it executes has no form anywhere."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from jobs import clock, conf, queue
from jobs.admin import audit
from jobs.admin.base import QueueAdmin
from jobs.admin.knob_field import KnobField
from jobs.errors import InvalidInput, QueueError
from jobs.models import Job
from jobs.states import WAITING, State

PERMISSION = "jobs.change_retry"


def may(model_admin: QueueAdmin, request: HttpRequest) -> bool:
    user: Any = request.user
    return model_admin.has_view_permission(request) and user.has_perm(PERMISSION)


class SettingsForm(forms.Form):
    """Reads texts; `queue.change_settings` judges them."""

    queue = forms.CharField(label=_("Queue"), strip=False)
    priority = forms.CharField(label=_("Priority"), help_text=_("−100 to 100; larger runs sooner."))
    max_retries = KnobField(knob=conf.KNOBS["max_retries"])
    timeout = KnobField(knob=conf.KNOBS["timeout"])

    def fields_of_job(self) -> dict[str, Any]:
        values = self.cleaned_data
        try:
            return values | {"priority": int(values["priority"])}
        except ValueError:
            return values


def view(model_admin: QueueAdmin, request: HttpRequest, job_id: str) -> HttpResponse:
    if not may(model_admin, request):
        raise PermissionDenied
    job = model_admin.get_object(request, job_id)
    if job is None:
        raise Http404(f"There is no job {job_id}.")
    page_url = model_admin.url("change", job.pk)
    if job.state not in WAITING:
        state = State(job.state).label
        messages.warning(
            request, _t("%(id)s is %(state)s; only waiting jobs can be changed.") % {"id": job.pk, "state": state}
        )
        return HttpResponseRedirect(page_url)
    form = SettingsForm(request.POST if request.method == "POST" else None, initial=_initial(job))
    if request.method == "POST" and form.is_valid() and _changed(request, job, form):
        return HttpResponseRedirect(page_url)
    title = _t("Retry settings of %(id)s") % {"id": job.pk}
    return model_admin.page(request, "form.html", title, form=form, back_url=page_url, intro=_INTRO)


_INTRO = _(
    "They hold from the next attempt on. Max retries and timeout may be left empty: then what is set for the queue "
    "holds, also when that is changed later."
)


def _initial(job: Job) -> dict[str, Any]:
    return {
        "queue": job.queue,
        "priority": str(job.priority),
        "max_retries": job.max_retries,
        "timeout": job.timeout_seconds,
    }


def _changed(request: HttpRequest, job: Job, form: SettingsForm) -> bool:
    """Store what was asked for and log it; say what is wrong, and return False, if the queue refuses."""
    if not form.changed_data:
        messages.info(request, _t("Nothing was changed."))
        return True
    try:
        queue.change_settings(job.pk, fields=form.fields_of_job(), now=clock.now())
    except InvalidInput as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        return False
    except QueueError as refusal:
        messages.warning(request, str(refusal))
        return True
    audit.note_change(user=request.user, row=Job(pk=job.pk), message=_what_changed(form))
    messages.success(request, _t("The settings of %(id)s were changed.") % {"id": job.pk})
    return True


def _what_changed(form: SettingsForm) -> str:
    return "; ".join(f"{name}: {form.initial[name]} → {form.cleaned_data[name]}" for name in form.changed_data)
