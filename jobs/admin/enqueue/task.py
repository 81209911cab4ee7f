"""The tasks of the project, as the admin offers them."""

from django.http import QueryDict
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from jobs import clock
from jobs.admin.base import Empty
from jobs.admin.enqueue.command import usual
from jobs.admin.enqueue.forms import TaskForm
from jobs.admin.enqueue.source import Offer, Offers, Source, Subject
from jobs.admin.printable import one_line
from jobs.tasks import api, job_task, known, requests

SIGNATURE_CHARACTERS_MAX = 200
EXAMPLE = (
    "# shop/tasks.py",
    "from jobs.tasks import task",
    "",
    "@task",
    "def send_receipt(order_id): …",
)


def _offers() -> Offers:
    found = known.known()
    return Offers(
        entries=[
            Offer(name=path, label=path, code=_signature(task), help=known.summary(task))
            for path, task in found.tasks.items()
        ],
        problems=found.problems,
    )


def _signature(task: api.AnyTask) -> str:
    return one_line(known.signature(task), SIGNATURE_CHARACTERS_MAX)


def _subject(path: str, posted: QueryDict | None) -> Subject | None:
    task = known.known().tasks.get(path)
    if task is None:
        return None
    form = TaskForm(posted, usual=usual(task.queue_name, job_task.job_fields(task, task.get_backend().options)))
    return Subject(
        title=_t("Enqueue: %(what)s") % {"what": path},
        code=_signature(task),
        help=known.summary(task),
        consequence=_t("A worker calls this function of the project, with these arguments, once it is free."),
        form=form,
        make=lambda: requests.new_job_of({"task": path, **form.fields_of_job()}, now=clock.now()),
        log_words=lambda: f"enqueued: task {path}",
    )


SOURCE = Source(
    heading=_("Tasks"),
    empty=Empty(
        text=_("No installed app has a task."),
        hint=_("Tasks in the module “tasks” of an app are listed here, with those it imports:"),
        commands=EXAMPLE,
    ),
    offers=_offers,
    subject=_subject,
)
