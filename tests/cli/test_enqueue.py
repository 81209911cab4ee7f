"""`enqueue`: every way to write a job, and what is printed."""

import json

import pytest

from jobs import queue
from jobs.cli.output import Progress
from jobs.models import Job
from tests.cli.command import ok, queuectl, refused
from tests.clock import NOW

pytestmark = pytest.mark.django_db


def only_job() -> Job:
    return Job.objects.get()


def test_it_takes_a_job_as_json():
    ok("enqueue", '{"id": "job1", "command": "echo hi", "queue": "mail", "max_retries": 5, "priority": 7}')
    job = Job.objects.get(pk="job1")
    assert (job.command, job.uses_shell, job.queue, job.max_retries, job.priority) == ("echo hi", True, "mail", 5, 7)


def test_it_takes_one_quoted_command_for_the_shell():
    ok("enqueue", "ls | wc -l")
    assert (only_job().command, only_job().uses_shell) == ("ls | wc -l", True)


def test_it_takes_words_after_two_dashes_as_they_are():
    ok("enqueue", "--queue", "mail", "--", "ls", "-la", "--", "--json", "a b")
    assert (only_job().command, only_job().uses_shell) == ("ls -la -- --json 'a b'", False)
    assert only_job().queue == "mail"


def test_it_takes_json_after_two_dashes_as_a_command():
    ok("enqueue", "--", '{ echo "a": 1; }')
    assert only_job().command == '{ echo "a": 1; }'


def test_it_takes_every_option():
    options = (
        "--id j --queue q --priority -5 --delay 10m --max-retries 0 --timeout 1h30m --cwd /tmp --env A=1 --env B=x=y"
    )
    ok("enqueue", *options.split(), "echo hi")
    job = only_job()
    assert (job.pk, job.queue, job.priority, job.max_retries, job.timeout_seconds) == ("j", "q", -5, 0, 5_400)
    assert (job.cwd, job.env, job.state) == ("/tmp", {"A": "1", "B": "x=y"}, "scheduled")


def test_it_takes_a_task_with_its_own_settings():
    ok("enqueue", "--task", "tests.tasks.samples.with_settings", "--id", "a", "--priority", "1")
    job = Job.objects.get()
    assert (job.kind, job.task, job.args, job.backend) == ("task", "tests.tasks.samples.with_settings", [], "default")
    assert (job.queue, job.priority, job.max_retries, job.timeout_seconds) == ("letters", 1, 5, 30.0)
    assert (job.backoff_base, job.backoff_max_seconds) == (3.0, 600.0)


def test_it_takes_a_management_command():
    said = ok("enqueue", "--manage", "check --deploy", "--id", "a")
    job = Job.objects.get()
    assert (job.task, job.args) == ("jobs.tasks.commands.manage", ["check --deploy"])
    assert said.startswith("a is enqueued, to be run as task jobs.tasks.commands.manage. ")


BACKUP = {
    "command": ["pg_dump", "--table={table}"],
    "parameters": {"table": {"choices": ["users", "orders"]}},
    "queue": "backups",
    "max_retries": 0,
}


def test_it_takes_a_named_command_and_its_values(settings):
    settings.JOBS = {"COMMANDS": {"backup": BACKUP}}

    said = ok("enqueue", "--named", "backup", "--set", "table=users", "--id", "a")

    assert said.startswith("a is enqueued in queue backups, to be run without a shell. ")
    job = only_job()
    assert (job.command, job.uses_shell, job.queue, job.max_retries) == ("pg_dump --table=users", False, "backups", 0)


def test_it_takes_other_settings_for_a_named_command_than_the_definition_has(settings):
    settings.JOBS = {"COMMANDS": {"backup": BACKUP}}

    ok(
        "enqueue",
        "--named",
        "backup",
        "--set",
        "table=users",
        "--queue",
        "other",
        "--max-retries",
        "2",
        "--delay",
        "1h",
    )

    assert (only_job().queue, only_job().max_retries, only_job().state) == ("other", 2, "scheduled")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--named", "restore"], "named: there is no command 'restore'; choose from backup"),
        (["--named", "backup"], "table: is missing; it must be one of users, orders"),
        (["--named", "backup", "--set", "table=x"], "table: must be one of users, orders"),
        (["--named", "backup", "--set", "days=1"], "days: is no parameter of backup; it has table"),
        (["--named", "backup", "--set", "table=users", "--set", "table=orders"], "--set: table is given twice"),
        (["--named", "backup", "--set", "table"], "--set: must be written as NAME=VALUE"),
        (["--named", "backup", "--set", "table=users", "true"], "command: does not go with --named"),
        (["--named", "backup", "--task", "a.b"], "--named: does not go with --task"),
        (["--named", "backup", "--args", "[]"], "--named: does not go with --args"),
        (["--named", "backup", "--manage", "check"], "--named: does not go with --manage"),
        (["--set", "table=users", "true"], "--set: goes with --named"),
        (["--named", "backup", '{"command": "true"}'], "--named: does not go with a job as JSON"),
        (["--set", "a=b", '{"command": "true"}'], "--set: does not go with a job as JSON"),
    ],
)
def test_it_refuses_a_named_command_that_is_not_what_the_site_allows(settings, words, problem):
    settings.JOBS = {"COMMANDS": {"backup": BACKUP}}

    assert problem in refused("enqueue", *words)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--task", "no.such.task"], "task: no.such.task cannot be run: ModuleNotFoundError: No module named 'no'"),
        (["--task", "tests.tasks.samples.gone"], "task: tests.tasks.samples.gone cannot be run: ImportError"),
        (["--task", "tests.tasks.samples.not_a_task"], "is not a task: it is not decorated with @task"),
        (["--task", "tests.tasks.samples.add"], "args: do not fit add(a, b=0): missing a required argument: 'a'"),
        (["--task", "tests.tasks.samples.add", "--args", "[1, 2, 3]"], "args: do not fit add(a, b=0): too many"),
        (["--task", "tests.tasks.samples.add", "--kwargs", '{"c": 1}'], "args: do not fit add(a, b=0): "),
        (["--task", "tests.tasks.samples.add", "true"], "command: does not go with --task"),
        (["--manage", "check", "true"], "command: does not go with --manage"),
        (["--manage", "check", "--args", "[]"], "--manage: does not go with --args"),
        (["--manage", "no_such"], "--manage: 'no_such' is no management command of this project"),
        (["--manage", "check 'x"], "--manage: cannot be split into words: No closing quotation"),
        (['{"task": "no.such.task"}'], "task: no.such.task cannot be run: "),
    ],
)
def test_it_refuses_a_task_that_could_not_run(arguments: list[str], problem: str):
    done = queuectl("enqueue", *arguments)
    assert (done.code, done.out) == (2, "")
    assert problem in done.err
    assert not Job.objects.exists()


def test_it_says_what_was_stored_and_the_next_step():
    assert ok("enqueue", "--id", "a", "true") == (
        "a is enqueued, to be run by /bin/sh. Start a worker: queuectl worker start\n"
    )
    assert "a2 is enqueued in queue mail, to be run without a shell" in ok(
        "enqueue", "--id", "a2", "--queue", "mail", "--", "ls", "-l"
    )


def test_it_says_that_a_queue_is_paused():
    for name in ("mail", "web"):
        queue.pause(name, now=NOW, by="anna")
    assert ok("enqueue", "--queue", "mail", "true").endswith(" But mail is paused: queuectl queue resume mail\n")
    text = lines(*({"command": "true", "queue": name} for name in ("mail", "web", "default")))
    assert ok("enqueue", "--file", "-", stdin=text) == (
        "3 jobs enqueued. But mail, web are paused: queuectl queue resume mail\n"
    )


def test_it_echoes_a_delay_as_a_moment():
    assert " UTC (in 10m), to be run" in ok("enqueue", "--delay", "10m", "true")


def test_it_prints_ids_only_when_quiet():
    assert ok("enqueue", "--quiet", "--id", "a", "true") == "a\n"


def test_it_prints_the_job_as_json():
    job = json.loads(ok("enqueue", "--json", "--id", "a", "true"))
    assert (job["id"], job["state"], job["max_retries"], job["finished_at"]) == ("a", "pending", 3, None)
    assert job["run_at"].endswith("Z")


def test_it_refuses_an_id_that_is_taken():
    ok("enqueue", "--id", "a", "first")
    assert refused("enqueue", "--id", "a", "second", code=5) == "queuectl: a exists already; nothing was changed"
    assert only_job().command == "first"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "command: is missing; see queuectl enqueue --help"),
        (["--priority", "high", "true"], "priority: must be a whole number from -100 to 100; larger runs sooner"),
        (["--priority", "9" * 5_000, "true"], "priority: must be a whole number from -100 to 100; larger runs sooner"),
        (["--max-retries", "-1", "true"], "max_retries: must be from 0 to 1000"),
        (["--max-retries", "two", "true"], "max_retries: must be a number"),
        (
            ["--delay", "soon", "true"],
            "delay: must be seconds or a duration such as 90s, 10m, 1h30m or 2d, of at most 100 years",
        ),
        (["--delay", "1h", "--run-at", "2030-01-01", "true"], "delay: and run_at exclude each other"),
        (["--run-at", "tomorrow", "true"], "run_at: must be an ISO time such as 2026-12-31T23:59:00Z"),
        (["--timeout", "-1", "true"], "timeout: must be a duration such as 90s, 10m, 1h30m or 2d"),
        (["--cwd", "tmp", "true"], "cwd: must be an absolute path; a worker may run anywhere"),
        (["--env", "A=1", "--env", "A=2", "true"], "env: A is given twice"),
        (["--env", "QUEUECTL_X=1", "true"], "env: QUEUECTL_X is set by the queue"),
        (["--queue", "*", "true"], "queue: must not be *"),
        (["--id", "a b", "true"], "id: must be printable and without spaces"),
        (["--task", "send"], "task: must be the dotted path of a task function"),
        (["--task", "a.b", "true"], "command: does not go with --task"),
        (
            ["--task", "tests.tasks.samples.add", "--args", "{"],
            "args: expecting property name enclosed in double quotes at character 2",
        ),
        (["--task", "tests.tasks.samples.add", "--args", "{}"], "args: must be a list"),
        (["--args", "[]", "true"], "args: goes with a task, not with a command"),
        (["a", "--", "b"], "command: stands before and after --; put all of it after"),
        (['{"command": "true"}', "--priority", "1"], "--priority: does not go with a job as JSON"),
        (['{"command": "true"}', "more"], "JSON: is followed by more"),
        (['{"command": "a", "comand": "b"}'], "comand: is not a field of a job"),
        (["--file", "/nowhere/jobs", "true"], "command: does not go with --file"),
    ],
)
def test_it_refuses_what_is_wrong_and_names_it(words, problem):
    assert problem in refused("enqueue", *words)
    assert not Job.objects.exists()


def test_it_refuses_an_environment_variable_without_a_value_as_usage():
    assert "--env: must be written as NAME=VALUE (see queuectl enqueue --help)" in refused(
        "enqueue", "--env", "A", "true"
    )


def test_it_tells_where_to_write_options_of_a_command():
    assert "there is no option -la; write a command with options after --" in refused("enqueue", "ls", "-la")


def lines(*jobs: object) -> str:
    return "".join(json.dumps(job) + "\n" for job in jobs)


def test_it_stores_a_file_in_order():
    text = lines({"id": "b", "command": "1"}, {"id": "a", "command": "2"}) + "\n"
    assert ok("enqueue", "--file", "-", stdin=text) == "2 jobs enqueued. Watch them: queuectl status --watch\n"
    assert list(Job.objects.order_by("run_at").values_list("pk", flat=True)) == ["b", "a"]


@pytest.mark.parametrize("words", [["--file", "-"], ["-"]])
def test_it_reads_standard_input(words):
    assert ok("enqueue", "--quiet", *words, stdin=lines({"id": "a", "command": "1"})) == "a\n"


def test_it_reads_a_file(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_text(lines({"id": "a", "command": "1"}))
    assert [job["id"] for job in json.loads(ok("enqueue", "--json", "--file", str(path)))] == ["a"]


def test_it_shows_no_bar_over_what_a_person_types(monkeypatch):
    shown = []
    monkeypatch.setattr(Progress, "__init__", lambda _self, what, *_, **__: shown.append(what))
    for method in ("advance", "end"):
        monkeypatch.setattr(Progress, method, lambda *_: None)
    done = queuectl("enqueue", "--file", "-", answer=lines({"id": "a", "command": "1"}))
    assert (done.code, done.err) == (0, "Reading jobs, one JSON object a line; Ctrl-D ends.\n")
    assert shown == ["storing"]
    ok("enqueue", "--file", "-", stdin=lines({"id": "b", "command": "1"}))
    assert shown == ["storing", "reading -", "storing"]


def test_it_takes_an_empty_file_for_no_jobs(tmp_path):
    assert ok("enqueue", "--file", "-", stdin="") == "0 jobs enqueued: no job in standard input.\n"
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    assert ok("enqueue", "--file", str(empty)) == f"0 jobs enqueued: no job in {empty}.\n"
    assert ok("enqueue", "--file", str(empty), "--json") == "[]\n"


def test_it_stores_nothing_of_a_file_with_a_wrong_line_and_names_the_line():
    text = lines({"id": "a", "command": "1"}, {"id": "b", "command": "2", "priority": 101})
    message = refused("enqueue", "--file", "-", stdin=text)
    problem = "line 2: priority: must be a whole number from -100 to 100; larger runs sooner"
    assert message == f"queuectl: -: nothing was stored; {problem}"
    assert not Job.objects.exists()


def test_it_names_five_wrong_lines_and_counts_the_others():
    message = refused("enqueue", "--file", "-", stdin="nonsense\n" * 8)
    assert [f"line {number}:" in message for number in range(1, 7)] == [True] * 5 + [False]
    assert message.endswith("; and 3 more")


def test_it_refuses_a_file_in_which_an_id_stands_twice():
    text = lines({"id": "a", "command": "1"}, {"command": "2"}, {"id": "a", "command": "3"})
    assert "line 3: id: a stands in line 1 already" in refused("enqueue", "--file", "-", stdin=text)


def test_it_refuses_a_file_with_an_id_that_is_taken():
    ok("enqueue", "--id", "a", "1")
    text = lines({"id": "b", "command": "1"}, {"id": "a", "command": "3"})
    assert "a exist already; nothing was stored" in refused("enqueue", "--file", "-", stdin=text, code=5)
    assert only_job().command == "1"


def test_it_refuses_a_line_that_is_too_long_and_goes_on_with_the_next():
    text = '{"command": "' + "x" * 3_000_000 + '"}\nwrong\n'
    message = refused("enqueue", "--file", "-", stdin=text)
    assert "line 1: JSON: has" in message
    assert "line 2: JSON: expecting value at character 1" in message


@pytest.mark.parametrize("path", ["/nowhere/jobs.jsonl", "/tmp", "a\0b"])
def test_it_refuses_a_file_that_cannot_be_read(path):
    assert "--file: cannot read" in refused("enqueue", "--file", path)
