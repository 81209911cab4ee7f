"""What there is to be enqueued, whatever kind it is of: as an entry of a list, and as a form."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.functional import Promise

from jobs.admin.base import Empty
from jobs.admin.enqueue.forms import JobForm
from jobs.admin.job_page import Fact
from jobs.new_job import NewJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One entry of the list. `code` is what is run."""

    name: str
    label: str | Promise
    code: str
    help: str | Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """All entries of one kind, and why others are missing."""

    entries: Sequence[Offer]
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What one page is about. With a valid form, `make` returns the job and `log_words` what the log says of it."""

    title: str
    code: str
    help: str | Promise
    consequence: str
    facts: Sequence[Fact] = ()
    form: JobForm
    make: Callable[[], NewJob]
    log_words: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One kind. `subject` finds an entry by its name, with what was posted; None: there is no such entry."""

    heading: str | Promise
    empty: Empty
    offers: Callable[[], Offers]
    subject: Callable[[str, QueryDict | None], Subject | None]
