"""What people do to jobs, as the admin says it: permission, words and consequence of each of the queue's verbs."""

from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import CHANGE, DELETION
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from jobs import queue
from jobs.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class JobVerb:
    """One verb. `button` takes `count`, `title` and `done` take it as well; all others stand as they are.

    `dated_by` is the column that tells whether a job was already there, in that state, when the confirmation was shown.
    `settled` are jobs that nothing is left to be done to, though the verb applies to their state.
    """

    name: str
    permission: str
    rule: queue.Verb
    dated_by: str
    settled: Q | None = None
    settled_words: str | Promise = ""
    label: str | Promise
    label_all: str | Promise
    title_one: str | Promise
    title: Any
    button: Any
    done: str | Promise
    consequence: str | Promise
    is_destructive: bool = False
    log_flag: int = CHANGE
    log_words: str  # for the log, which is not translated

    @property
    def is_undoable(self) -> bool:
        return self.rule.leaves is not None


REQUEUE = JobVerb(
    name="requeue",
    permission="jobs.requeue_job",
    rule=queue.REQUEUE,
    dated_by="finished_at",
    label=_("Requeue"),
    label_all=_("Requeue all…"),
    title_one=_("Requeue %(id)s?"),
    title=ngettext_lazy("Requeue %(count)s job?", "Requeue %(count)s jobs?", "count"),
    button=ngettext_lazy("Requeue %(count)s job", "Requeue %(count)s jobs", "count"),
    done=_("%(count)s requeued"),
    consequence=_(
        "They run again as soon as a worker is free, from attempt 1, with the retry settings that hold then. "
        "What they did before stays in their history. Whatever they do, they may do a second time."
    ),
    log_words="requeued",
)

RUN_NOW = JobVerb(
    name="run_now",
    permission="jobs.requeue_job",
    rule=queue.RUN_NOW,
    dated_by="enqueued_at",
    label=_("Run now"),
    label_all=_("Run all now…"),
    title_one=_("Run %(id)s now?"),
    title=ngettext_lazy("Run %(count)s job now?", "Run %(count)s jobs now?", "count"),
    button=ngettext_lazy("Run %(count)s job now", "Run %(count)s jobs now", "count"),
    done=_("%(count)s made due"),
    consequence=_(
        "They do not wait for their time any more and run as soon as a worker is free, after what is due already. "
        "Failed jobs keep the attempts they have spent. A paused queue stays paused."
    ),
    log_words="made due",
)

CANCEL = JobVerb(
    name="cancel",
    permission="jobs.cancel_job",
    rule=queue.CANCEL,
    dated_by="enqueued_at",
    settled=Q(state=State.PROCESSING, cancel_requested_at__isnull=False),
    settled_words=_("already asked to stop"),
    label=_("Cancel"),
    label_all=_("Cancel all…"),
    title_one=_("Cancel %(id)s?"),
    title=ngettext_lazy("Cancel %(count)s job?", "Cancel %(count)s jobs?", "count"),
    button=ngettext_lazy("Cancel %(count)s job", "Cancel %(count)s jobs", "count"),
    done=_("%(count)s cancelled or asked to stop"),
    consequence=_(
        "Waiting jobs do not run any more. Running jobs are ended with everything they started, within seconds. "
        "A cancelled job can be requeued."
    ),
    is_destructive=True,
    log_words="cancelled",
)

DELETE = JobVerb(
    name="delete",
    permission="jobs.delete_job",
    rule=queue.DELETE,
    dated_by="finished_at",
    label=_("Delete"),
    label_all=_("Delete all…"),
    title_one=_("Delete %(id)s?"),
    title=ngettext_lazy("Delete %(count)s job?", "Delete %(count)s jobs?", "count"),
    button=ngettext_lazy("Delete %(count)s job", "Delete %(count)s jobs", "count"),
    done=_("%(count)s deleted"),
    consequence=_("The jobs, their attempts and everything they printed are gone for good. Nothing is run."),
    is_destructive=True,
    log_flag=DELETION,
    log_words="deleted",
)

RETRY_DEAD = JobVerb(
    name="requeue",
    permission="jobs.requeue_job",
    rule=queue.RETRY_DEAD,
    dated_by="finished_at",
    label=REQUEUE.label,
    label_all=REQUEUE.label_all,
    title_one=REQUEUE.title_one,
    title=ngettext_lazy("Requeue %(count)s dead job?", "Requeue %(count)s dead jobs?", "count"),
    button=REQUEUE.button,
    done=REQUEUE.done,
    consequence=REQUEUE.consequence,
    log_words="requeued from the Dead Letter Queue",
)

DISCARD = JobVerb(
    name="discard",
    permission="jobs.delete_job",
    rule=queue.DISCARD,
    dated_by="finished_at",
    label=_("Discard"),
    label_all=_("Discard all…"),
    title_one=_("Discard %(id)s?"),
    title=ngettext_lazy("Discard %(count)s dead job?", "Discard %(count)s dead jobs?", "count"),
    button=ngettext_lazy("Discard %(count)s job", "Discard %(count)s jobs", "count"),
    done=_("%(count)s discarded"),
    consequence=DELETE.consequence,
    is_destructive=True,
    log_flag=DELETION,
    log_words="discarded from the Dead Letter Queue",
)
