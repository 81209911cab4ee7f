"""A management command as a task."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, CommandError, call_command
from django.core.management.base import OutputWrapper

from jobs import queue, signing
from jobs.new_job import from_fields
from jobs.outcome import Advice
from jobs.states import Ending
from jobs.tasks import api, commands
from tests.clock import NOW
from tests.factories import make_claim
from tests.tasks import running

PATH = "jobs.tasks.commands.manage"
other_path = commands.manage  # the same task by another path, as any module that imports it has one


class Command(BaseCommand):
    """Leaves in the way it is told to."""

    def add_arguments(self, parser):
        parser.add_argument("way")
        parser.add_argument("--words", nargs="*")

    def handle(self, *args, **options):
        self.stdout.write(f"printed {options['words']}")
        self.stderr.write("warned")
        assert isinstance(self.stdout, OutputWrapper)
        if options["way"] == "error":
            raise CommandError("it did not work")
        if options["way"] != "end":
            raise SystemExit(None if options["way"] == "None" else int(options["way"]))


@pytest.fixture(autouse=True)
def command(monkeypatch, tmp_path):
    """Let `call_command` find the command of this test."""

    def call(name, *arguments, **options):
        return call_command(Command() if name == "leave" else name, *arguments, **options)

    monkeypatch.setattr(commands, "call_command", call)


def _run(line: str):
    signature = signing.sign_task(id="job1", task=PATH, args=[line], kwargs=None)
    return running.run(make_claim(kind="task", command=None, task=PATH, args=[line], signature=signature))


def test_it_runs_the_command_with_its_words():
    commands.manage.func("leave end --words one 'two three'")


@pytest.mark.parametrize("way", ["end", "0", "None"])
def test_a_command_may_leave_by_an_exit_without_an_error(way: str):
    outcome = _run(f"leave {way}")

    assert (outcome.ending, outcome.error) == (Ending.COMPLETED, None)


def test_a_command_that_exits_with_an_error_fails():
    outcome = _run("leave 3")

    assert (outcome.ending, outcome.error, outcome.exception_class) == (
        Ending.FAILED,
        "SystemExit: 3",
        "builtins.SystemExit",
    )


def test_a_command_that_raises_fails():
    outcome = _run("leave error")

    assert (outcome.ending, outcome.error) == (Ending.FAILED, "CommandError: it did not work")


def test_a_command_that_is_misspelt_fails():
    assert _run("levae end").error == "CommandError: Unknown command: 'levae'"
    assert "the following arguments are required: way" in (_run("leave").error or "")
    assert (_run("leave 'end").error or "").startswith("ValueError: No closing quotation")


@pytest.mark.parametrize(
    ("entry", "queue"), [({"QUEUES": []}, "default"), ({}, "default"), ({"QUEUES": ["letters", "more"]}, "letters")]
)
def test_it_is_a_task_of_the_first_alias_that_is_kept_here_and_of_a_queue_it_has(settings, entry, queue):
    package = api.BaseTaskBackend.__module__.removesuffix(".base")
    settings.TASKS = {
        "default": {"BACKEND": f"{package}.dummy.DummyBackend"},
        "queue": {"BACKEND": "jobs.backend.JobsBackend"} | entry,
    }

    assert commands._place() == {"backend": "queue", "queue_name": queue}


def test_it_has_no_place_where_no_alias_is_kept_here(settings):
    settings.TASKS = {}

    with pytest.raises(ImproperlyConfigured, match="no backend in TASKS"):
        commands._place()


@pytest.mark.parametrize("path", [PATH, "tests.tasks.test_commands.other_path"])
@pytest.mark.parametrize("signed", [None, {}, {"id": "job2"}, {"args": ["leave 0"]}, {"kwargs": {"line": "leave end"}}])
def test_it_runs_no_line_that_the_queue_did_not_sign(path: str, signed: dict[str, object] | None, monkeypatch):
    """Whoever can write to the database could otherwise run any code: a line may be `shell -c …`."""
    ran: list[str] = []
    monkeypatch.setattr(commands, "call_command", lambda name, *_, **__: ran.append(name))
    values = {"id": "job1", "task": PATH, "args": ["leave end"], "kwargs": None}
    signature = None if signed is None else signing.sign_task(**(values | signed))  # type: ignore[arg-type]
    args = ["leave end"] if signed else ["shell"]
    claim = make_claim(kind="task", command=None, task=path, args=args, signature=signature)

    outcome = running.run(claim)

    assert (outcome.ending, outcome.advice) == (Ending.FAILED, Advice.NEVER)
    assert outcome.error == f"NeverRetry: {signing.MISMATCH}"
    assert ran == []


@pytest.mark.django_db
def test_the_queue_signs_a_line_and_no_other_task():
    lines: list[dict[str, Any]] = [
        {"task": PATH, "args": ["migrate"]},
        {"task": "tests.tasks.samples.add", "args": [1, 2]},
    ]
    line, other = (queue.enqueue(from_fields(fields, now=NOW), now=NOW) for fields in lines)

    assert signing.is_genuine_task(line)
    assert not signing.is_refused(line)
    assert other.signature is None
    assert not signing.is_refused(other)
    line.args = ["flush"]
    assert signing.is_refused(line)
