"""A management command as a task."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, CommandError, call_command
from django.core.management.base import OutputWrapper

from jobs.states import Ending
from jobs.tasks import api, commands
from tests.factories import make_claim
from tests.tasks import running


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
    claim = make_claim(kind="task", command=None, task="jobs.tasks.commands.manage", args=[line])
    return running.run(claim)


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
