"""The pages: a list of what may be enqueued, and for each entry a form that says what it will do.

The form carries the id of the job it will make. So a second click, a reload, or a repeat after a lost answer meets that
job.
"""

import re
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import ADDITION
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from jobs import clock, moments, queue
from jobs.admin import audit, outage
from jobs.admin.base import Empty, QueueAdmin
from jobs.admin.enqueue import command
from jobs.admin.enqueue.source import Offers, Source, Subject
from jobs.database import atomic
from jobs.errors import InvalidInput, JobExists
from jobs.models import Job
from jobs.states import State

PERMISSION = "jobs.enqueue_job"
ID = "id"
MADE_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)  # as `queue.new_id` makes them

SOURCES: dict[str, Source] = {"command": command.SOURCE}

try:
    from jobs.admin.enqueue import task
except ModuleNotFoundError as missing:  # Django 5.2 without its backport of tasks
    if missing.name != "django_tasks":
        raise
    SOURCES["task"] = Source(
        heading=_("Tasks"),
        empty=Empty(
            text=_("Tasks need Django 6.0, or its backport:"), commands=('pip install "django-queuectl[tasks]"',)
        ),
        offers=lambda: Offers(entries=()),
        subject=lambda _name, _posted: None,
    )
else:
    SOURCES["task"] = task.SOURCE


def may(model_admin: QueueAdmin, request: HttpRequest) -> bool:
    user: Any = request.user
    return model_admin.has_view_permission(request) and user.has_perm(PERMISSION)


def choose(model_admin: QueueAdmin, request: HttpRequest) -> HttpResponse:
    """Show what may be enqueued, each as a link to its form."""
    _refuse_without_permission(model_admin, request)
    panels = [_panel(model_admin, kind, source) for kind, source in SOURCES.items()]
    context = {"panels": panels, "back_url": model_admin.url("changelist")}
    return model_admin.page(request, "enqueue.html", _t("Enqueue a job"), **context)


def fill_in(model_admin: QueueAdmin, request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """Show the form of one entry; on POST enqueue what it says, once."""
    _refuse_without_permission(model_admin, request)
    posted = request.POST if request.method == "POST" else None
    subject = SOURCES[kind].subject(name, posted)
    if subject is None:
        raise Http404(f"There is no {kind} of that name to enqueue.")
    id_ = _id(request)
    if posted is not None and subject.form.is_valid() and _is_there(model_admin, request, subject, id_):
        return HttpResponseRedirect(model_admin.url("change", id_))
    context = {"subject": subject, "form": subject.form, "id": id_, "back_url": model_admin.url("enqueue")}
    return model_admin.page(request, "enqueue_form.html", subject.title, **context)


def _refuse_without_permission(model_admin: QueueAdmin, request: HttpRequest) -> None:
    if not may(model_admin, request):
        raise PermissionDenied


def _panel(model_admin: QueueAdmin, kind: str, source: Source) -> dict[str, Any]:
    offers = source.offers()
    entries = [(model_admin.url(f"enqueue_{kind}", offer.name), offer) for offer in offers.entries]
    return {"kind": kind, "source": source, "entries": entries, "problems": offers.problems}


def _id(request: HttpRequest) -> str:
    """Return the id that the job will have. Only the first look at the form makes one."""
    if request.method != "POST":
        return queue.new_id()
    id_ = request.POST.get(ID, "")
    if not MADE_ID.fullmatch(id_):
        raise BadRequest("id is missing")
    return id_


def _is_there(model_admin: QueueAdmin, request: HttpRequest, subject: Subject, id_: str) -> bool:
    """Enqueue the job, and say so. Return whether there is one to be looked at; if not, the page says why."""
    link = format_html('<a href="{}">{}</a>', model_admin.url("change", id_), id_)
    try:
        with outage.told(request):
            job = _enqueue(request, subject, id_)
            messages.success(request, format_html(_said(job), job=link, time=moments.absolute(job.run_at)))
            return True
    except InvalidInput as refusal:
        subject.form.add_error(subject.form.field_of(refusal), str(refusal))
    except JobExists:
        said = _t("{job} was enqueued by this form before; nothing was enqueued a second time.")
        messages.warning(request, format_html(said, job=link))
        return True
    return False


def _said(job: Job) -> str:
    return _t("{job} is scheduled for {time}.") if job.state == State.SCHEDULED else _t("{job} is enqueued.")


def _enqueue(request: HttpRequest, subject: Subject, id_: str) -> Job:
    """Store the job and its entry in the log, both or neither."""
    with atomic():
        job = queue.enqueue(subject.make()._replace(id=id_), now=clock.now())
        audit.note_jobs(user=request.user, ids=[id_], flag=ADDITION, message=subject.log_words())
    return job
