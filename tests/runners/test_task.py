"""One attempt of a task: what it returns or raises, and what is kept of it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.outcome import Outcome
from jobs.runners import Stop, task
from jobs.states import Ending
from tests.factories import make_claim
from tests.tasks import running
from tests.tasks.running import claim_of


def _returned(outcome: Outcome) -> Any:
    assert outcome.ending is Ending.COMPLETED, outcome.error
    return None if outcome.return_value is None else json.loads(outcome.return_value)


# It completes.


@pytest.mark.parametrize("name", ["add", "add_async"])
def test_it_returns_what_the_function_does(name: str):
    outcome = running.run(claim_of(name, 1, kwargs={"b": 2}))

    assert _returned(outcome) == 3
    assert (outcome.error, outcome.exception_class, outcome.traceback) == (None, None, None)
    assert outcome.pid is not None
    assert outcome.started_at <= outcome.finished_at


@pytest.mark.parametrize(
    ("name", "value"),
    [("tuple", [1, [2]]), ("text as bytes", "text"), ("characters", "NUL \0, surrogate \ud800"), ("keys", {"1": "a"})],
)
def test_it_keeps_what_becomes_json(name: str, value: object):
    assert _returned(running.run(claim_of("return_it", name))) == value


# It fails.


@pytest.mark.parametrize(
    ("name", "arguments", "error", "exception_class"),
    [
        ("fail", ["no luck"], "ValueError: no luck", "builtins.ValueError"),
        ("fail_async", ["no luck"], "ValueError: no luck", "builtins.ValueError"),
        ("exit_with", [3], "SystemExit: 3", "builtins.SystemExit"),
        ("exit_with", [0], "SystemExit: 0", "builtins.SystemExit"),
        ("exit_async", [3], "SystemExit: 3", "builtins.SystemExit"),
        ("interrupt", [], "KeyboardInterrupt", "builtins.KeyboardInterrupt"),
        ("fail_strangely", ["generator"], "GeneratorExit", "builtins.GeneratorExit"),
        ("fail_strangely", ["cancelled"], "CancelledError", "asyncio.exceptions.CancelledError"),
        ("fail", ["\x1b[2J\x9b\u202e"], "ValueError: \\x1b[2J\\x9b\\u202e", "builtins.ValueError"),
        ("fail_strangely", ["lines"], "ValueError: first", "builtins.ValueError"),
        (
            "fail_strangely",
            ["wordless"],
            "WordlessError: its own text cannot be made",
            "tests.tasks.samples.WordlessError",
        ),
        ("return_object", [], "TypeError: Unsupported type: <class 'object'>", "builtins.TypeError"),
        ("return_it", ["set"], "TypeError: Unsupported type: <class 'set'>", "builtins.TypeError"),
        ("return_it", ["bytes"], "ValueError: Unsupported value: <class 'bytes'>", "builtins.ValueError"),
        (
            "add",
            [1, 2, 3],
            "TypeError: add() takes from 1 to 2 positional arguments but 3 were given",
            "builtins.TypeError",
        ),
    ],
)
def test_it_fails_whatever_is_raised(name: str, arguments: list[Any], error: str, exception_class: str):
    outcome = running.run(claim_of(name, *arguments))

    assert (outcome.ending, outcome.error, outcome.exception_class) == (Ending.FAILED, error, exception_class)
    assert outcome.traceback is not None
    assert outcome.traceback.startswith("Traceback (most recent call last):")
    assert outcome.return_value is None


@pytest.mark.parametrize(
    ("name", "words"), [("nan", "ValueError: Out of range float"), ("large", "ValueError: the return value")]
)
def test_it_fails_with_a_return_value_that_no_database_keeps(name: str, words: str):
    outcome = running.run(claim_of("return_it", name))

    assert (outcome.ending, outcome.return_value) == (Ending.FAILED, None)
    assert (outcome.error or "").startswith(words)


@pytest.mark.parametrize(
    ("name", "line"), [("fail", "raise ValueError(message)"), ("fail_async", "raise ValueError(message)")]
)
def test_its_traceback_begins_with_the_task(name: str, line: str):
    outcome = running.run(claim_of(name, "no luck"))

    assert outcome.traceback is not None
    first, *frames, last = outcome.traceback.splitlines()
    assert "samples.py" in frames[0]
    assert line in outcome.traceback
    assert (first, last) == ("Traceback (most recent call last):", "ValueError: no luck")


def test_it_keeps_the_beginning_and_the_end_of_a_long_traceback():
    outcome = running.run(claim_of("fail_strangely", "large"))

    assert outcome.traceback is not None
    assert len(outcome.traceback) < 70_000
    assert len(outcome.error or "") == 500
    assert outcome.traceback.startswith("Traceback (most recent call last):")
    assert "characters dropped" in outcome.traceback


def test_it_survives_a_recursion_without_end():
    outcome = running.run(claim_of("fail_strangely", "deep"))

    assert outcome.exception_class == "builtins.RecursionError"


def test_the_name_of_an_exception_fits_its_column():
    outcome = running.run(claim_of("fail_strangely", "long name"))

    assert outcome.exception_class is not None
    assert len(outcome.exception_class) == 255


# Its function is not there.


@pytest.mark.parametrize(
    ("path", "error", "exception_class"),
    [
        ("gone.tasks.send", "ModuleNotFoundError: No module named 'gone'", "builtins.ModuleNotFoundError"),
        (
            "tests.tasks.samples.gone",
            'ImportError: Module "tests.tasks.samples" does not define',
            "builtins.ImportError",
        ),
        (
            "tests.tasks.samples.not_a_task",
            "ImportError: tests.tasks.samples.not_a_task is not",
            "builtins.ImportError",
        ),
        ("os.system", "ImportError: os.system is not a task", "builtins.ImportError"),
        ("tests.tasks.broken_module.task", "RuntimeError: this module is broken", "builtins.RuntimeError"),
        ("", "ImportError", "builtins.ImportError"),
    ],
)
def test_it_fails_without_a_task_and_calls_nothing(path: str, error: str, exception_class: str):
    outcome = running.run(make_claim(kind="task", command=None, task=path, args=["exit 1"]))

    assert (outcome.ending, outcome.exception_class) == (Ending.FAILED, exception_class)
    assert (outcome.error or "").startswith(error)


def test_it_finds_a_task_whose_module_has_appeared_since(tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    claim = make_claim(kind="task", command=None, task="appearing_tasks.hello")
    assert running.run(claim).exception_class == "builtins.ModuleNotFoundError"

    (tmp_path / "appearing_tasks.py").write_text("from jobs.tasks import task\n@task\ndef hello():\n    return 'hi'\n")

    try:
        assert _returned(running.run(claim)) == "hi"
    finally:
        sys.modules.pop("appearing_tasks", None)


def test_it_runs_a_task_whose_queue_is_no_longer_valid(settings):
    settings.TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": ["default"]}}

    assert _returned(running.run(claim_of("add", 1, queue="letters", backend="gone"))) == 1


# It was asked to end before it began.


@pytest.mark.parametrize("ending", [Ending.CANCELLED, Ending.RELEASED])
def test_it_does_not_begin_what_is_to_end(ending: Ending, capsys):
    def run(stop: Stop) -> Outcome:
        stop.ask(ending)
        return task.run(claim_of("ignore", 60), stop=stop, watch=lambda *_: None, grace_seconds=1.0)

    outcome = running.with_stop(run)

    assert (outcome.ending, outcome.pid) == (ending, None)
    assert capsys.readouterr().out == ""
