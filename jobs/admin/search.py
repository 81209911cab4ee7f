"""The search box over jobs: an id, or `queue:mail state:dead cmd:backup task:send`.

Every term is an exact match or the beginning of something, so that an index can answer it. Commands and task paths
have no index; they are looked for among the newest jobs only, and the page says so.
"""

import shlex
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from jobs.admin.filters import in_state
from jobs.models import Job
from jobs.states import State

NEWEST_SEARCHED = 100_000  # jobs whose command is looked at: some tenths of a second
TERMS_MAX = 20  # more than anyone types; SQLite refuses an expression of a thousand
TASKS_MAX = 500  # different task functions that one search may mean
LAST_CHARACTER = "\U0010ffff"  # sorts after all others

HELP = _("The beginning of an id, or queue:mail state:dead cmd:backup task:send")


@dataclass(slots=True)
class Terms:
    """A search, taken apart. `unknown` are terms that cannot match anything; of one that is too long there are none."""

    ids: list[str] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    is_too_long: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether only the newest jobs are searched."""
        return bool(self.commands or self.tasks)


def parse(text: str) -> Terms:
    """Return the terms of `text`; quotes hold words together: cmd:"pg_dump --all"."""
    words = _words(text)
    if len(words) > TERMS_MAX:
        return Terms(is_too_long=True)
    terms = Terms()
    lists = {"queue": terms.queues, "state": terms.states, "cmd": terms.commands, "task": terms.tasks, "id": terms.ids}
    for word in words:
        qualifier, colon, value = word.partition(":")
        if not colon or qualifier not in lists:
            terms.ids.append(word)
        elif value:
            lists[qualifier].append(value)
    terms.unknown = [state for state in terms.states if state not in State.values]
    return terms


def search(jobs: QuerySet[Job], terms: Terms) -> QuerySet[Job]:
    """Return those of `jobs` that match every term."""
    if terms.unknown or terms.is_too_long:
        return jobs.none()
    for state in terms.states:
        jobs = in_state(jobs, state)
    for queue in terms.queues:
        jobs = jobs.filter(queue=queue)
    for beginning in terms.ids:
        # The order of the index that finds them; ids made by the queue are in order of time anyway.
        jobs = jobs.filter(starts("pk", beginning)).order_by("-pk")
    return _among_the_newest(jobs, terms) if terms.is_limited else jobs


def starts(column: str, beginning: str) -> Q:
    """Return the condition that `column` begins with `beginning`: a range, which an index answers and LIKE may not."""
    return Q(**{f"{column}__gte": beginning, f"{column}__lt": beginning + LAST_CHARACTER})


def _among_the_newest(jobs: QuerySet[Job], terms: Terms) -> QuerySet[Job]:
    newest = _newest()
    jobs = jobs.filter(newest)
    for beginning in terms.commands:
        jobs = jobs.filter(starts("command", beginning))
    for beginning in terms.tasks:
        jobs = jobs.filter(task__in=_tasks(newest, beginning))
    return jobs


def _newest() -> Q:
    moments = Job.objects.order_by("-enqueued_at", "-pk").values_list("enqueued_at", flat=True)
    oldest: datetime | None = moments[NEWEST_SEARCHED : NEWEST_SEARCHED + 1].first()
    return Q() if oldest is None else Q(enqueued_at__gt=oldest)


def _tasks(newest: Q, beginning: str) -> list[str]:
    """Return the task paths of which some part begins so: `send` means app.tasks.send_mail, and also `tasks.send`."""
    paths = Job.objects.filter(newest, task__isnull=False).order_by().values_list("task", flat=True).distinct()
    return [path for path in paths[:TASKS_MAX] if path and f".{path}".find(f".{beginning}") >= 0]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed, as one is while it is being typed
        return text.split()
