"""What one attempt printed, on a page of its own, and as a file. Needs its own permission: output may hold anything."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from jobs.admin import job_page
from jobs.admin.base import QueueAdmin
from jobs.models import Attempt, Job

PERMISSION = "jobs.view_output"


def may(model_admin: QueueAdmin, request: HttpRequest) -> bool:
    user: Any = request.user
    return model_admin.has_view_permission(request) and user.has_perm(PERMISSION)


def view(model_admin: QueueAdmin, request: HttpRequest, job_id: str, fence: int) -> HttpResponse:
    if not may(model_admin, request):
        raise PermissionDenied
    job: Job | None = model_admin.get_object(request, job_id)
    attempt = Attempt.objects.filter(job=job.pk, fence=fence).first() if job else None
    if job is None or attempt is None:
        raise Http404(f"There is no such attempt of {job_id}.")
    if "download" in request.GET:
        return _file(job, attempt)
    title = _("Attempt %(number)d of %(id)s") % {"number": attempt.number, "id": job.pk}
    return model_admin.page(
        request,
        "output.html",
        title,
        blocks=list(job_page.output_blocks(attempt)),
        back_url=model_admin.url("change", job.pk),
        back_label=job.pk,
    )


def _file(job: Job, attempt: Attempt) -> HttpResponse:
    """Return the output as it was, to be saved: a browser that showed it might take it for a page of this site."""
    text = attempt.report
    response = HttpResponse(text.encode(errors="replace"), content_type="text/plain; charset=utf-8")
    disposition = content_disposition_header(as_attachment=True, filename=f"{job.pk}-{attempt.number}.txt")
    response.headers["Content-Disposition"] = disposition or "attachment"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
