"""The tree of verbs: help, hints, and the same behaviour from `call_command`."""

import io

import pytest
from django.core.management import CommandError, call_command

import jobs
from jobs import cli
from jobs.cli import tree
from jobs.management.commands.queuectl import Command
from jobs.models import Job
from jobs.states import State
from tests.cli.command import queuectl, refused
from tests.factories import make_job

HELP_LINES_MAX = 40
PATHS = [level.path.split("/")[1:] for level in tree.levels(Command().create_parser("queuectl", "queuectl"))]


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_it_explains_every_verb_on_a_screen_with_two_examples(path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = queuectl(*path, "--help")
    assert done.code == 0
    lines = done.out.splitlines()
    assert len(lines) <= HELP_LINES_MAX
    assert max(map(len, lines)) <= 100
    examples = lines[lines.index("examples:") + 1 :]
    assert len([line for line in examples if "queuectl" in line]) >= 2


@pytest.mark.parametrize("path", [path for path in PATHS if path[-1:] in (["list"], ["get"], ["show"])], ids=" ".join)
def test_it_has_json_on_every_reading_verb(path):
    assert "--json" in queuectl(*path, "--help").out


def test_it_shows_all_verbs_when_none_is_named():
    done = queuectl()
    assert (done.code, done.err) == (0, "")
    assert "Dead Letter Queue\n  dlq  " in done.out
    assert queuectl("--help").out == done.out


def test_it_tells_its_version():
    assert queuectl("--version").out == f"queuectl {jobs.__version__}\n"


@pytest.mark.parametrize(
    ("typed", "meant"), [("lst", "list"), ("enque", "enqueue"), ("stats", "status"), ("qeue", "queue")]
)
def test_it_suggests_the_verb_that_was_meant(typed, meant):
    assert refused(typed) == f"queuectl: there is no verb '{typed}'; did you mean {meant}? (see queuectl --help)"


def test_it_lists_the_verbs_when_none_is_near():
    assert "there is no verb 'xyzzy'; choose from enqueue, list," in refused("xyzzy")


def test_it_refuses_arguments_that_are_not_utf_8():
    assert refused("show", "\udcff") == "queuectl: word 2 is not valid UTF-8 (see queuectl --help)"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "words", [["show", "a", "x" * 5_000], ["list", "--json=" + "x" * 5_000], ["config", "get", "x" * 5_000]]
)
def test_it_does_not_repeat_pages_that_were_typed(words):
    assert len(refused(*words)) < 400


def test_it_prints_nothing_that_was_typed_raw():
    assert refused("list", "\x1b[2J\x07").isprintable()
    assert refused("\x1b[2J").isprintable()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "words", [["--no-color", "list"], ["list", "--no-color"], ["dlq", "list", "-v", "0", "--traceback"]]
)
def test_it_takes_common_options_before_and_after_the_verb(words):
    assert queuectl(*words).code == 0


@pytest.mark.parametrize(("program", "prog"), [("queuectl", "queuectl"), ("/srv/manage.py", "manage.py queuectl")])
def test_it_calls_itself_as_it_was_called(program, prog):
    parser = Command().create_parser(program, "queuectl")
    with pytest.raises(CommandError, match=f"^{prog} list: there is no option --x "):
        parser.parse_args(["list", "--x"])


@pytest.mark.django_db
def test_it_can_be_called_from_python():
    make_job(state=State.DEAD)
    out = io.StringIO()
    call_command("queuectl", "dlq", "retry", "job1", stdout=out)
    assert out.getvalue().startswith("job1 is pending again.")
    assert Job.objects.get().state == State.PENDING
    call_command("queuectl", "enqueue", "--id", "job2", "--", "ls", "--all", stdout=out)
    assert Job.objects.get(pk="job2").command == "ls --all"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["dlq", "retry", "nope"], 4, "queuectl ended with exit code 4"),
        (["show", "nope"], 4, "there is no job nope"),
        (["list", "--state", "x"], 2, "queuectl list: --state: there is no state 'x'"),
    ],
)
def test_it_raises_what_python_expects_with_the_exit_code(words, code, message):
    with pytest.raises(CommandError) as error:
        call_command("queuectl", *words, stderr=io.StringIO())
    assert error.value.returncode == code
    assert str(error.value).startswith(message)


def test_it_knows_every_module_of_verbs():
    names = {name for modules in cli.MODULES.values() for name in modules}
    assert {"enqueue", "listing", "dlq", "worker", "completion"} <= names
