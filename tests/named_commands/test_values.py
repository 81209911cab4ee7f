"""From values to a job: what is taken, and that a value stays within its place whatever it is."""

import json
import shlex
import sys
from typing import Any

import pytest

from jobs import named_commands, new_job
from jobs.errors import InvalidInput
from jobs.outcome import Outcome
from jobs.runners import Stop, shell
from tests.clock import NOW
from tests.named_commands.corpus import EVERYTHING, NEVER, OPTIONS, SHOWY
from tests.runners import claims

ANYTHING = {"pattern": "(?s).*", "max_length": 1_024}
ECHO = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))"]


def named(settings: Any, command: list[str], **parameters: dict[str, Any]) -> named_commands.NamedCommand:
    settings.JOBS = {"COMMANDS": {"it": {"command": command, "parameters": parameters}}}
    assert named_commands.problems() == []
    return named_commands.find("it")


def ran(words: list[str]) -> Outcome:
    """Run what the queue would store, as a worker would."""
    new = new_job.from_fields({"command": words}, now=NOW)
    assert not new.uses_shell
    stop = Stop()
    try:
        claim = claims.signed(new.command or "", uses_shell=False)
        return shell.run(claim, stop=stop, watch=lambda *_: None, grace_seconds=1.0)
    finally:
        stop.close()


@pytest.mark.parametrize("value", SHOWY)
def test_it_hands_a_value_to_the_program_as_it_is_and_within_one_argument(settings, tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    command = named(settings, [*ECHO, "--value={x}", "{x}", "a{x}b", "{{x}}", "last"], x=ANYTHING)

    outcome = ran(command.words({"x": value}))

    assert json.loads(outcome.output.head) == [f"--value={value}", value, f"a{value}b", "{x}", "last"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", NEVER)
def test_it_refuses_whatever_the_pattern_says_what_no_argument_should_hold(settings, value):
    command = named(settings, ["echo", "--value={x}"], x=ANYTHING)

    with pytest.raises(InvalidInput) as refusal:
        command.words({"x": value})

    assert refusal.value.field == "x"
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("value", OPTIONS)
def test_it_refuses_an_option_in_the_place_of_a_value(settings, value):
    alone, first = (named(settings, ["echo", place], x=ANYTHING) for place in ("{x}", "{x}.txt"))
    within = named(settings, ["echo", "--value={x}"], x=ANYTHING)

    for command in (alone, first):
        with pytest.raises(InvalidInput, match="x: must not begin with a dash"):
            command.words({"x": value})
    assert within.words({"x": value}) == ["echo", f"--value={value}"]


def test_it_refuses_an_option_that_begins_with_the_first_of_two_values(settings):
    command = named(settings, ["echo", "{a}{b}"], a=ANYTHING, b=ANYTHING)

    with pytest.raises(InvalidInput, match="a: must not begin with a dash"):
        command.words({"a": "-", "b": "rf"})
    assert command.words({"a": "x", "b": "-rf"}) == ["echo", "x-rf"]


def test_it_takes_a_dash_that_the_definition_wrote_out_or_allows(settings):
    command = named(
        settings,
        ["echo", "{mode}", "{shift}", "{text}"],
        mode={"choices": ["--fast", "--slow"]},
        shift={"type": "integer", "min": -5, "max": 5},
        text={"pattern": "[-a-z]+", "may_begin_with_dash": True},
    )

    assert command.words({"mode": "--fast", "shift": "-3", "text": "-v"}) == ["echo", "--fast", "-3", "-v"]


@pytest.mark.parametrize("value", EVERYTHING)
def test_it_takes_nothing_of_the_corpus_for_a_choice_a_number_or_a_name(settings, value):
    command = named(
        settings,
        ["echo", "{choice}", "{number}", "{name}"],
        choice={"choices": ["users", "orders"]},
        number={"type": "integer", "min": 1, "max": 90},
        name={"pattern": "[a-z]+", "max_length": 40},
    )
    sound: dict[str, Any] = {"choice": "users", "number": 7, "name": "ann"}

    assert command.words(sound) == ["echo", "users", "7", "ann"]
    for name in sound:
        with pytest.raises(InvalidInput) as refusal:
            command.words(sound | {name: value})
        assert refusal.value.field == name


@pytest.mark.parametrize(
    "value", ["0", "91", "-1", "1.0", "1e1", "0x1", "1_0", "٣", "+1", "9" * 400, True, None, 1.0, []]
)
def test_it_takes_whole_numbers_within_bounds(settings, value):
    command = named(settings, ["echo", "{days}"], days={"type": "integer", "min": 1, "max": 90})

    with pytest.raises(InvalidInput, match=r"it must be a whole number|must be a whole number from 1 to 90"):
        command.words({"days": value})


def test_it_writes_numbers_in_one_way(settings):
    command = named(settings, ["echo", "{days}"], days={"type": "integer", "min": 0, "max": 90})

    assert [command.words({"days": value})[1] for value in ("007", "-0", 90, "1")] == ["7", "0", "90", "1"]


def test_it_matches_the_whole_of_a_text(settings):
    command = named(settings, ["echo", "{x}"], x={"pattern": "^[a-z]+$|b", "max_length": 3})

    assert command.words({"x": "abc"}) == ["echo", "abc"]
    for wrong in ("abcd", "ab1", "ab\n", "AB", " ab"):
        with pytest.raises(InvalidInput, match="x: must be"):
            command.words({"x": wrong})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "x: is missing; it must be one of 1, b"),
        ({"x": "c"}, "x: must be one of 1, b"),
        ({"x": "1", "y": "2"}, "y: is no parameter of it; it has x"),
        ({"x": "1", "a\nb": "2"}, "a.b: is no parameter of it"),
        ({"x": None}, "x: is missing"),
        ({"x": ["1"]}, "x: is missing"),
    ],
)
def test_it_names_what_is_missing_unknown_or_wrong(settings, values, words):
    command = named(settings, ["echo", "{x}"], x={"choices": [1, "b"]})

    with pytest.raises(InvalidInput, match=f"^{words}"):
        command.words(values)


def test_it_makes_the_fields_of_a_job(settings):
    definition = {
        "command": ["tar", "--create", "--file=/backup/{day}.tar", "/srv"],
        "parameters": {"day": {"choices": ["mon", "tue"], "default": "tue"}},
        "queue": "backups", "priority": 5, "max_retries": 0, "timeout": "10m", "cwd": "/srv", "env": {"LANG": "C"},
    }  # fmt: skip
    settings.JOBS = {"COMMANDS": {"backup": definition}}

    new = new_job.from_fields(named_commands.find("backup").fields({"day": "mon"}), now=NOW)

    assert new.command is not None
    assert shlex.split(new.command) == ["tar", "--create", "--file=/backup/mon.tar", "/srv"]
    assert (new.uses_shell, new.queue, new.priority, new.max_retries, new.timeout_seconds, new.cwd, new.env) == (
        False, "backups", 5, 0, 600, "/srv", {"LANG": "C"},
    )  # fmt: skip


def test_it_names_the_commands_there_are(settings):
    settings.JOBS = {"COMMANDS": {"a": {"command": ["true"]}, "b": {"command": "true"}}}

    assert list(named_commands.commands()) == ["a"]
    with pytest.raises(InvalidInput, match=r"named: there is no command 'c.d'; choose from a, b"):
        named_commands.find("c\nd")
    with pytest.raises(InvalidInput, match=r"named: JOBS\['COMMANDS'\]\['b'\]\['command'\] is one text"):
        named_commands.find("b")
    settings.JOBS = {}
    with pytest.raises(InvalidInput, match=r'JOBS\["COMMANDS"\] names none'):
        named_commands.find("a")
