"""What a job may be: every field's limits, and that a refusal names the field."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import new_job
from jobs.errors import InvalidInput
from jobs.new_job import NewJob
from jobs.states import Kind
from tests.clock import NOW, after


def made(**fields) -> NewJob:
    return new_job.from_fields({"command": "true", **fields}, now=NOW)


def test_it_takes_every_field_of_a_shell_job():
    job = made(
        id="job1",
        command="echo hi",
        queue="mail",
        priority=-100,
        delay="10m",
        max_retries=0,
        timeout="1h",
        cwd="/srv",
        env={"A": ""},
    )
    assert job == NewJob(
        id="job1",
        kind=Kind.SHELL,
        queue="mail",
        priority=-100,
        run_at=after(seconds=600),
        command="echo hi",
        cwd="/srv",
        env={"A": ""},
        max_retries=0,
        timeout_seconds=3_600,
    )


def test_it_takes_every_field_of_a_task():
    job = new_job.from_fields({"task": "app.tasks.send", "args": [1, None], "kwargs": {"to": "é"}}, now=NOW)
    assert (job.kind, job.task, job.args, job.kwargs, job.command) == (
        Kind.TASK, "app.tasks.send", [1, None], {"to": "é"}, None,
    )  # fmt: skip


def test_it_takes_null_for_not_set():
    assert made(id=None, queue=None, cwd=None, delay=None, max_retries=None) == made()


def test_it_quotes_words_as_a_shell_would():
    job = made(command=["printf", "%s", "a b", "$HOME"])
    assert (job.command, job.uses_shell) == ("printf %s 'a b' '$HOME'", False)


@pytest.mark.parametrize(
    ("run_at", "moment"),
    [
        ("2026-12-31T23:59:00Z", datetime(2026, 12, 31, 23, 59, tzinfo=UTC)),
        ("2026-12-31T23:59:00+02:00", datetime(2026, 12, 31, 21, 59, tzinfo=UTC)),
        ("2026-12-31 23:59", datetime(2026, 12, 31, 23, 59, tzinfo=UTC)),
        (datetime(2026, 12, 31, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)),
    ],
)
def test_it_reads_a_moment(run_at, moment):
    assert made(run_at=run_at).run_at == moment


@pytest.mark.parametrize(("delay", "seconds"), [(90, 90), ("90s", 90), (0, 0), (1.5, 1.5), ("1d", 86_400)])
def test_it_reads_a_delay(delay, seconds):
    assert made(delay=delay).run_at == NOW + timedelta(seconds=seconds)


NUMBERS = [math.nan, math.inf, -math.inf, True, False, 10**400, 1e308, "", "x", "nan", [], {}, object()]
BROKEN_TEXTS = [1, True, [], {}, "\ud800", "a\0b"]
WRONG: dict[str, list[Any]] = {
    "id": [1, True, "", "x" * 65, "a b", "a\nb", "\x1b", "-a", "{a", "\ud800", "a\0", [], "\u202ea", "\xa0"],
    "queue": [1, "", "x" * 65, "*", "a b", "-q", []],
    "command": [1, True, "", "  ", [], [""], ["a", 1], {}, "\ud800", "a\0b", "x" * 131_072, ["x", "y" * 131_072]],
    "priority": [*NUMBERS, -101, 101, 1.0, "1"],
    "max_retries": [*NUMBERS, -1, 1.5, 1_001, "3"],
    "timeout": [*NUMBERS, -1, "1w", "400d"],
    "delay": [*NUMBERS, -1, "-1s", "1w", 1e12],
    "run_at": [1, True, [], "", "soon", "2026-13-01", "99999-01-01", "2326-01-01T00:00:00Z", "1800-01-01", "x" * 5_000],
    "cwd": [*BROKEN_TEXTS, "", "tmp", "./x", "/" + "x" * 4_095],
    "env": [1, [], "A=1", {"": "x"}, {"A=B": "x"}, {"A": 1}, {"A": None}, {"A": "\0"}, {"QUEUECTL_JOB_ID": "x"},
            {"\ud800": "x"}, {"A": "x" * 65_537}, {f"A{n}": "x" * 60 for n in range(1_000)}],
    "nonsense": [1],
    "": [1],
}  # fmt: skip


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_it_refuses_a_wrong_value_and_names_its_field(field, value):
    with pytest.raises(InvalidInput) as refusal:
        made(**{field: value})
    assert refusal.value.field.split(" ")[0] == field
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 300


TASK = {"task": "app.tasks.send"}


@pytest.mark.parametrize(
    "fields",
    [
        {"task": 1},
        {"task": "send"},
        {"task": "app..send"},
        {"task": "app.tasks.send()"},
        {"task": "a." + "b" * 255},
        {**TASK, "args": {}},
        {**TASK, "args": [math.nan]},
        {**TASK, "args": [object()]},
        {**TASK, "args": ["\ud800"]},
        {**TASK, "args": ["\0"]},
        {**TASK, "args": ["x" * 262_144]},
        {**TASK, "kwargs": []},
        {**TASK, "kwargs": {"a": math.inf}},
    ],
)
def test_it_refuses_a_wrong_task_and_names_the_field(fields):
    with pytest.raises(InvalidInput) as refusal:
        new_job.from_fields(fields, now=NOW)
    assert refusal.value.field == list(fields)[-1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "command: is missing; a job needs a command or a task"),
        ({"command": None}, "command: is missing; a job needs a command or a task"),
        ({"command": "x", "args": []}, "args: goes with a task, not with a command"),
        ({**TASK, "command": "x"}, "command: goes with a command, not with a task"),
        ({**TASK, "cwd": "/"}, "cwd: goes with a command, not with a task"),
        ({"command": "x", "delay": 1, "run_at": "2026-01-01"}, "delay: and run_at exclude each other"),
        ({"command": "x", "comand": "y"}, "comand: is not a field of a job; choose from id, command"),
    ],
)
def test_it_refuses_fields_that_do_not_go_together(fields, message):
    with pytest.raises(InvalidInput) as refusal:
        new_job.from_fields(fields, now=NOW)
    assert str(refusal.value).startswith(message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(new_job.FIELDS) | st.text(max_size=5), JSON, max_size=6))
def test_it_returns_a_job_that_can_be_stored_or_refuses(fields):
    try:
        job = new_job.from_fields(fields, now=NOW)
    except InvalidInput:
        return
    stored = {name: getattr(job, name) for name in ("command", "cwd", "env", "task", "args", "kwargs")}
    assert json.loads(json.dumps(stored, allow_nan=False)) == stored


def test_it_cuts_what_it_repeats_and_makes_it_printable():
    assert new_job.shown("a\x1b[31m\n") == "a?[31m?"
    assert new_job.shown("x" * 100) == "x" * 60 + "…"


def test_it_tells_a_nul_from_a_text_that_looks_like_one():
    fields = {"task": "app.tasks.send", "args": ["C:\\u0000", "\\\\u0000"]}
    assert new_job.from_fields(fields, now=NOW).args == fields["args"]
    with pytest.raises(InvalidInput, match="args: must not contain a NUL"):
        new_job.from_fields({"task": "app.tasks.send", "args": ["\\\0"]}, now=NOW)
