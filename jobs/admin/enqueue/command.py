"""The named commands of the site, as the admin offers them."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from jobs import clock, conf, masking, named_commands, new_job, queue
from jobs.admin.base import Empty
from jobs.admin.enqueue.forms import CommandForm
from jobs.admin.enqueue.source import Offer, Offers, Source, Subject
from jobs.admin.job_page import Fact
from jobs.admin.knob_field import shown
from jobs.named_commands import NamedCommand
from jobs.new_job import NewJob

DEFAULT_QUEUE = "default"
EXAMPLE = (
    'JOBS = {"COMMANDS": {"backup": {',
    '    "command": ["pg_dump", "--table={table}", "shop"],',
    '    "parameters": {"table": {"choices": ["users", "orders"]}},',
    "}}}",
)


def _offers() -> Offers:
    return Offers(
        entries=[
            Offer(name=command.name, label=command.label, code=_code(command), help=command.help)
            for command in named_commands.commands().values()
        ],
        problems=[str(wrong) for wrong in named_commands.problems()],
    )


def _code(command: NamedCommand) -> str:
    """Return the command line, with braces around its parameters."""
    return " ".join(_quoted(word) for word in command.pattern)


def _quoted(word: str) -> str:
    plain = word.replace("{", "").replace("}", "")  # for the braces alone no quotes are needed: no shell reads it
    return word if plain and shlex.quote(plain) == plain else shlex.quote(word)


def _subject(name: str, posted: QueryDict | None) -> Subject | None:
    command = named_commands.commands().get(name)
    if command is None:
        return None
    queue_name = str(command.settings.get("queue", DEFAULT_QUEUE))
    form = CommandForm(posted, command=command, usual=usual(queue_name, {}))
    return Subject(
        title=_t("Enqueue: %(what)s") % {"what": command.label},
        code=_code(command),
        help=command.help,
        consequence=_t(
            "A worker of queue %(queue)s runs this program as its own user, without a shell. What you enter fills the "
            "places in braces and nothing else."
        )
        % {"queue": queue_name},
        facts=list(_facts(command, queue_name)),
        form=form,
        make=lambda: _made(form),
        log_words=lambda: _log_words(form),
    )


def usual(queue_name: str, own: Mapping[str, Any]) -> dict[str, str]:
    """Return what holds for a job of a queue where neither it nor its task (`own`) says anything."""
    policies = queue.load_policies(now=clock.now())
    knobs = ("max_retries", "timeout")
    values = {name: policies.value(name, queue_name) if own.get(name) is None else own[name] for name in knobs}
    return {name: shown(conf.KNOBS[name], conf.KNOBS[name].clean(value)) for name, value in values.items()} | {
        "queue": queue_name,
        "priority": str(own.get("priority", 0)),
    }


def _facts(command: NamedCommand, queue_name: str) -> Iterator[Fact]:
    yield Fact(label=_t("Queue"), value=queue_name)
    for name, label in LABELS.items():
        if name in command.settings:
            yield Fact(label=str(label), value=_setting(name, command.settings[name]))


def _setting(name: str, value: Any) -> str:
    if name in conf.KNOBS:
        return shown(conf.KNOBS[name], conf.KNOBS[name].clean(value))
    return json.dumps(masking.masked(value)) if isinstance(value, dict) else str(value)


LABELS = {
    "priority": _("Priority"),
    "max_retries": _("Max retries"),
    "backoff_base": _("Backoff base"),
    "backoff_max": _("Backoff max"),
    "timeout": _("Timeout"),
    "cwd": _("Directory"),
    "env": _("Environment"),
}


def _made(form: CommandForm) -> NewJob:
    return new_job.from_fields(form.fields_of_job(), now=clock.now())


def _log_words(form: CommandForm) -> str:
    values = masking.masked(form.values())
    chosen = ", ".join(f"{name}={value}" for name, value in values.items())
    return f"enqueued: named command {form.command.name}" + (f" with {chosen}" if chosen else "")


SOURCE = Source(
    heading=_("Commands"),
    empty=Empty(
        text=_("The site names no commands."),
        hint=_("Name those that may be started from here in its settings:"),
        commands=EXAMPLE,
    ),
    offers=_offers,
    subject=_subject,
)
