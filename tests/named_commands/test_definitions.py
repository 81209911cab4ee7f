"""What may stand in `JOBS["COMMANDS"]`: a wrong definition is refused by a check, and is not offered."""

from typing import Any

import pytest
from django.utils.translation import gettext_lazy

from jobs import named_commands
from jobs.checks import check_commands

CHOICE = {"choices": ["users", "orders"]}


def command(*words: str, **more: Any) -> dict[str, Any]:
    return {"command": list(words or ["true"]), **more}


def with_parameter(**definition: Any) -> dict[str, Any]:
    return command("echo", "{x}", parameters={"x": definition})


@pytest.mark.parametrize(
    "definition",
    [
        command(),
        {"command": ("true", "a")},
        command("awk", "{{print $1}}", "/etc/passwd"),
        command("echo", "{x}", "{x}", "{{x}}", parameters={"x": CHOICE}),
        command("sh", "-c", 'echo "$1"', "sh", "{x}", parameters={"x": {"pattern": ".+"}}),
        command("sh", "-c", "echo {x}", parameters={"x": CHOICE}),
        command("sh", "-c", "echo {x}", parameters={"x": {"type": "integer", "min": 1, "max": 2}}),
        command("sh", "-c", "--", 'echo "$1"', "{x}", parameters={"x": {"pattern": ".+"}}),
        command("bash", "-c", "-o", "pipefail", 'echo "$1"', "sh", "-e", "{x}", parameters={"x": {"pattern": ".+"}}),
        command("su", "bob", "-c", 'echo "$1"', "sh", "{x}", parameters={"x": {"pattern": ".+"}}),
        command("su", "--command=ls", "{x}", parameters={"x": {"pattern": "[a-z]+"}}),
        command("runuser", "-u", "bob", "--", "pg_dump", "{x}", parameters={"x": {"pattern": ".+"}}),
        command("python3", "-c", "print()", "{x}", parameters={"x": {"pattern": ".+"}}),
        command(queue="mail", priority=-100, max_retries=0, timeout=60, backoff_base=1.5, backoff_max="1h", cwd="/"),
        command(env={"A": "b"}, label="Ä", help=gettext_lazy("Help"), queue=None),
        with_parameter(pattern="[a-z]+", max_length=1_024, may_begin_with_dash=False, default="a"),
        with_parameter(type="integer", min=-5, max=-5, default=-5, label="X", help="Y"),
        with_parameter(choices=["a", 1, "-x"], default="-x"),
    ],
)
def test_it_finds_nothing_wrong_with_a_sound_definition(settings, definition):
    settings.JOBS = {"COMMANDS": {"it": definition}}

    assert check_commands(app_configs=None) == []
    assert list(named_commands.commands()) == ["it"]


COMMAND: list[tuple[Any, str]] = [
    ("true", "is no dictionary."),
    (None, "is no dictionary."),
    ({}, "['command'] is no list of texts."),
    (command(comand=1), "has 'comand', which means nothing."),
    ({"command": "pg_dump --table={x}"}, "['command'] is one text."),
    ({"command": []}, "['command'] is no list of texts."),
    ({"command": ["a", 1]}, "['command'] is no list of texts."),
    ({"command": [""]}, "['command'] must start with the name of a program."),
    (command("a", "b\0"), "['command'] must not contain a NUL character."),
    (command("a", "x" * 131_072), "['command'] must have at most 131071 bytes."),
    (command("{x}", parameters={"x": CHOICE}), "['command'][0] lets a parameter choose the program."),
    (command("/bin/{x}", parameters={"x": CHOICE}), "['command'][0] lets a parameter choose the program."),
    (command("a", "{x"), "['command'][1] cannot be read: expected '}' before end of string."),
    (command("a", "{print $1}"), "['command'][1] has a {print $1} that is no parameter."),
    (command("a", "{}"), "['command'][1] has a {} that is no parameter."),
    (command("a", "{x.y}", parameters={"x": CHOICE}), "['command'][1] has a {x.y} that is no parameter."),
    (command("a", "{x!r}", parameters={"x": CHOICE}), "['command'][1] has a {x} that is no parameter."),
    (command("a", "{x:>9}", parameters={"x": CHOICE}), "['command'][1] has a {x} that is no parameter."),
    (command("a", "{x}"), "['parameters'] lacks 'x', which has a place in the command."),
    (command("a", parameters={"x": CHOICE}), "['parameters']['x'] has no place in the command."),
    (command("a", parameters=["x"]), "['parameters'] is no dictionary."),
    (command("a", "{X}", parameters={"X": CHOICE}), "['parameters']['X'] has a name that no parameter can have."),
    (command(label=5), "['label'] is no text."),
    (command(help=None), "['help'] is no text."),
    (command(queue="*"), "['queue'] must not be *, which stands for all queues."),
    (command(priority=101), "['priority'] must be a whole number from -100 to 100; larger runs sooner."),
    (command(max_retries="3"), "['max_retries'] must be a number."),
    (command(timeout="soon"), "['timeout'] must be a duration such as 90s, 10m, 1h30m or 2d."),
    (command(cwd="srv"), "['cwd'] must be an absolute path; a worker may run anywhere."),
    (command(env={"QUEUECTL_X": "1"}), "['env'] QUEUECTL_X is set by the queue, as is all of QUEUECTL_*."),
    (command(delay="1h"), "has 'delay', which means nothing."),
    (command(task="a.b"), "has 'task', which means nothing."),
]  # fmt: skip
PARAMETER: list[tuple[Any, str]] = [
    ("x", "is no dictionary."),
    ({}, "does not say which values it takes."),
    ({"help": "free text"}, "does not say which values it takes."),
    ({"choices": ["a"], "pattern": "a"}, "is of two kinds."),
    ({"choice": ["a"]}, "has 'choice', which means nothing."),
    ({"choices": ["a"], "max_length": 3}, "has 'max_length', which does not go with 'choices'."),
    ({"pattern": "a", "min": 3}, "has 'min', which does not go with 'pattern'."),
    ({"choices": []}, "['choices'] is no list of values."),
    ({"choices": "ab"}, "['choices'] is no list of values."),
    ({"choices": ["a", ""]}, "['choices'] has ''."),
    ({"choices": ["a\nb"]}, "['choices'] has 'a\\nb'."),
    ({"choices": [True]}, "['choices'] has True."),
    ({"choices": [1.5]}, "['choices'] has 1.5."),
    ({"choices": ["a"], "default": "b"}, "['default'] must be one of a."),
    ({"type": "string"}, "['type'] is 'string'."),
    ({"type": "integer"}, "needs whole numbers \"min\" and \"max\", in this order."),
    ({"type": "integer", "min": 1}, "needs whole numbers \"min\" and \"max\", in this order."),
    ({"type": "integer", "min": 2, "max": 1}, "needs whole numbers \"min\" and \"max\", in this order."),
    ({"type": "integer", "min": "1", "max": "2"}, "needs whole numbers \"min\" and \"max\", in this order."),
    ({"type": "integer", "min": True, "max": 2}, "needs whole numbers \"min\" and \"max\", in this order."),
    ({"type": "integer", "min": 1, "max": 2, "default": 3}, "['default'] must be a whole number from 1 to 2."),
    ({"pattern": "("}, "['pattern'] is no regular expression: missing ), unterminated subpattern at position 0."),
    ({"pattern": 5}, "['pattern'] is 5."),
    ({"pattern": "a", "max_length": 0}, "['max_length'] is 0."),
    ({"pattern": "a", "max_length": 1_025}, "['max_length'] is 1025."),
    ({"pattern": "a", "max_length": "9"}, "['max_length'] is '9'."),
    ({"pattern": "a", "may_begin_with_dash": "yes"}, "['may_begin_with_dash'] is 'yes'."),
    ({"pattern": ".+", "default": "-x"}, "['default'] must not begin with a dash, which the program could take for an"),
    ({"pattern": "a+", "label": 5}, "['label'] is no text."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        *COMMAND,
        *(
            (command("echo", "{x}", parameters={"x": wrong}), f"['parameters']['x'] {words}")
            for wrong, words in PARAMETER
        ),
    ],
)
def test_it_says_what_is_wrong_and_what_helps_and_offers_the_others(settings, definition, words):
    settings.JOBS = {"COMMANDS": {"it": definition, "sound": command()}}

    (message,) = check_commands(app_configs=None)

    assert message.id == "jobs.E009"
    assert str(message.msg).replace("] [", "][").startswith(f"JOBS['COMMANDS']['it'] {words}".replace("] [", "]["))
    assert message.hint
    assert list(named_commands.commands()) == ["sound"]


@pytest.mark.parametrize("name", ["", "two words", "-x", ".x", "a/b", "x" * 65, "é", "a\n", 5, None])
def test_it_refuses_a_name_that_no_address_should_have(settings, name):
    settings.JOBS = {"COMMANDS": {name: command()}}

    (message,) = check_commands(app_configs=None)

    assert "has a name that no command can have" in str(message.msg)


@pytest.mark.parametrize(
    "words",
    [
        ("sh", "-c", "pg_dump {x}"),
        ("/bin/bash", "-ec", "pg_dump {x}"),
        ("bash", "-o", "pipefail", "-lc", "'{x}'"),
        ("sudo", "-u", "postgres", "sh", "-ce", "{x}"),
        ("sh", "-c", "--", "pg_dump {x}"),
        ("sh", "-c", "--", "-{x}"),
        ("bash", "-c", "-e", "+u", "pg_dump {x}"),
        ("bash", "-ceuo", "pipefail", "pg_dump {x}"),
        ("bash", "-c", "-O", "extglob", "--", "pg_dump {x}"),
        ("/usr/local/bin/bash5", "-c", "pg_dump {x}"),
        ("bash-5.2", "-c", "pg_dump {x}"),
        ("ksh93", "-c", "pg_dump {x}"),
        ("su", "postgres", "-c", "pg_dump {x}"),
        ("su", "-c", "pg_dump {x}", "postgres"),
        ("su", "-cpg_dump {x}", "postgres"),
        ("runuser", "-l", "postgres", "--command", "pg_dump {x}"),
        ("runuser", "postgres", "--session-command=pg_dump {x}"),
    ],
)
def test_it_refuses_a_text_within_the_script_of_a_shell(settings, words):
    settings.JOBS = {"COMMANDS": {"it": command(*words, parameters={"x": {"pattern": ".+"}})}}

    (message,) = check_commands(app_configs=None)

    assert message.id == "jobs.E010"
    assert "would have a shell read the value of 'x' as code" in str(message.msg)
    assert '"$1"' in str(message.hint)
    assert named_commands.commands() == {}


def test_it_reports_each_wrong_command(settings):
    settings.JOBS = {"COMMANDS": {"a": {}, "b": command(), "c": {}}}

    assert len(check_commands(app_configs=None)) == 2


def test_it_leaves_it_to_the_check_of_the_settings_that_there_are_no_definitions_at_all(settings):
    for wrong in (["backup"], "backup", None):
        settings.JOBS = {"COMMANDS": wrong}
        assert check_commands(app_configs=None) == []
        assert named_commands.commands() == {}


def test_it_makes_names_for_people(settings):
    settings.JOBS = {"COMMANDS": {"back-up_all": command("echo", "{the_day}", parameters={"the_day": CHOICE})}}

    found = named_commands.find("back-up_all")

    assert (found.label, found.parameters["the_day"].label) == ("Back up all", "The day")
