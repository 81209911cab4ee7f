"""The page on which the knobs of one queue, or the defaults, are set, with what they mean for the retries."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from jobs import clock, conf, moments, new_job, queue, retry, stats
from jobs.admin import audit, cells, changes_panel, pause_page
from jobs.admin.base import QueueAdmin, Tool
from jobs.admin.knob_field import KnobField, shown
from jobs.admin.printable import printable
from jobs.database import atomic
from jobs.errors import InvalidInput
from jobs.models import ALL_QUEUES, Config

ATTEMPTS_PREVIEWED_MAX = 10  # and the last one


class QueueForm(forms.Form):
    queue = forms.CharField(label=_("Queue"), strip=False, help_text=_("Its name. It need not have jobs yet."))

    def clean_queue(self) -> str:
        return _queue_name(self.cleaned_data["queue"])


class KnobsForm(forms.Form):
    """One field per knob; an empty one falls back to what is behind it."""

    def __init__(self, *args: Any, inherited: dict[str, float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for knob in conf.KNOBS.values():
            field = KnobField(knob=knob)
            field.widget.attrs["placeholder"] = shown(knob, inherited[knob.name])
            self.fields[knob.name] = field


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """One failed attempt: how long the next one waits, and how long it all took so far. `wait` of None: it gives up."""

    attempt: int
    wait: str | None
    total: str
    is_after_gap: bool = False


def choose_queue(model_admin: QueueAdmin, request: HttpRequest) -> HttpResponse:
    """Ask which queue gets settings of its own, and lead to their page. Nothing is stored before that is saved."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    form = QueueForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        return HttpResponseRedirect(model_admin.url("change", form.cleaned_data["queue"]))
    context = {"form": form, "back_url": model_admin.url("changelist"), "button": _t("Continue")}
    return model_admin.page(request, "form.html", _t("Settings for a queue"), **context)


def edit(model_admin: QueueAdmin, request: HttpRequest, name: str) -> HttpResponse:
    """Show the knobs of queue `name`; store them on POST, or show what they would mean if a preview is asked for."""
    can_change = model_admin.has_change_permission(request)
    if not can_change and (request.method == "POST" or not model_admin.has_view_permission(request)):
        raise PermissionDenied
    _refuse_bad_name(name)
    policies = queue.load_policies(now=clock.now())
    form = KnobsForm(
        request.POST if request.method == "POST" else None,
        initial=_own(policies, name),
        inherited=_inherited(policies, name),
    )
    if request.method == "POST" and form.is_valid() and "preview" not in request.POST:
        _save(request, name, form)
        return HttpResponseRedirect(model_admin.url("changelist"))
    return _page(model_admin, request, name, form=form, policies=policies)


def _queue_name(value: str) -> str:
    try:
        return new_job.queue_name(value)
    except InvalidInput as refusal:
        raise ValidationError(str(refusal)) from refusal


def _refuse_bad_name(name: str) -> None:
    try:
        if name != ALL_QUEUES:
            new_job.queue_name(name)
    except InvalidInput as refusal:
        raise Http404(str(refusal)) from refusal


def _own(policies: queue.Policies, name: str) -> dict[str, float | None]:
    row = policies.rows.get(name)
    return {knob: getattr(row, knob) if row else None for knob in conf.KNOBS}


def _inherited(policies: queue.Policies, name: str) -> dict[str, float]:
    """Return what holds where this row sets nothing."""
    if name == ALL_QUEUES:
        return {knob.name: knob.default for knob in conf.KNOBS.values()}
    return {knob: policies.value(knob, ALL_QUEUES) for knob in conf.KNOBS}


@atomic()
def _save(request: HttpRequest, name: str, form: KnobsForm) -> None:
    if not form.changed_data:
        messages.info(request, _t("Nothing was changed."))
        return
    target = None if name == ALL_QUEUES else name
    signed: Any = {"queue": target, "by": audit.author(request.user), "now": clock.now()}
    changes = []
    for knob in form.changed_data:
        value = form.cleaned_data[knob]
        if value is None:
            queue.unset_knob(knob, **signed)
        else:
            queue.set_knob(knob, value, **signed)
        changes.append(f"{knob}: {_logged(knob, form.initial[knob])} → {_logged(knob, value)}")
    audit.note_change(user=request.user, row=Config(queue=name), message="; ".join(changes))
    messages.success(request, _t("Saved. Running workers follow within a second."))


def _logged(knob: str, value: float | None) -> str:
    return "not set" if value is None else shown(conf.KNOBS[knob], value)


def _page(
    model_admin: QueueAdmin, request: HttpRequest, name: str, *, form: KnobsForm, policies: queue.Policies
) -> HttpResponse:
    can_change = model_admin.has_change_permission(request)
    for field in form.fields.values():
        field.disabled = not can_change
    is_sound = not form.is_bound or form.is_valid()
    pause = stats.pauses(now=policies.now).get(name)
    title = (
        _t("Defaults for all queues")
        if name == ALL_QUEUES
        else _t("Settings of queue %(queue)s") % {"queue": printable(name)}
    )
    return model_admin.page(
        request,
        "config_form.html",
        title,
        form=form,
        can_change=can_change,
        is_preview="preview" in request.POST and is_sound,
        preview=preview(_policy(form, policies, name)) if is_sound else None,
        jitter=f"{_value(form, 'jitter', _inherited(policies, name)):.0%}",
        tools=_tools(model_admin, request, name, policies),
        pause=cells.pause(pause, now=policies.now) if pause else None,
        changes=changes_panel.build(name, now=policies.now),
        back_url=model_admin.url("changelist"),
    )


def _tools(model_admin: QueueAdmin, request: HttpRequest, name: str, policies: queue.Policies) -> list[Tool]:
    if name == ALL_QUEUES or not pause_page.may(model_admin, request):
        return []
    if policies.is_paused(name):
        return [Tool(label=_("Resume"), url=model_admin.url("resume", name))]
    return [Tool(label=_("Pause"), url=model_admin.url("pause", name))]


def _policy(form: KnobsForm, policies: queue.Policies, name: str) -> retry.Policy:
    """Return the policy that the form as it stands would make."""
    inherited = _inherited(policies, name)
    return retry.Policy(
        max_retries=int(_value(form, "max_retries", inherited)),
        backoff_base=_value(form, "backoff_base", inherited),
        backoff_max_seconds=_value(form, "backoff_max", inherited),
        jitter=_value(form, "jitter", inherited),
    )


def _value(form: KnobsForm, knob: str, inherited: dict[str, float]) -> float:
    values = form.cleaned_data if form.is_bound else form.initial
    value = values.get(knob)
    return inherited[knob] if value is None else float(value)


def preview(policy: retry.Policy) -> list[PreviewRow]:
    """Return what happens to a job that always fails at once, an attempt a row, the middle of a long story left out."""
    last = policy.max_retries + 1
    rows = []
    total = 0.0
    for attempt in range(1, last + 1):
        is_last = attempt == last
        wait = retry.delay_seconds(attempt=attempt, policy=policy, chance=0)
        if attempt <= ATTEMPTS_PREVIEWED_MAX or is_last:
            is_after_gap = is_last and last > ATTEMPTS_PREVIEWED_MAX + 1
            total_then = total if is_last else total + wait
            rows.append(
                PreviewRow(
                    attempt=attempt,
                    wait=None if is_last else moments.rough(wait),
                    total=moments.rough(total_then),
                    is_after_gap=is_after_gap,
                )
            )
        total += wait
    return rows
