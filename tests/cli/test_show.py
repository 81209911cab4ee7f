"""`show`: one job whole."""

import json

import pytest
from django.db.models.expressions import RawSQL

from jobs import clock
from jobs.models import Attempt, Job
from jobs.states import Kind, State
from tests.cli.command import Terminal, ok, queuectl, refused
from tests.clock import NOW, after
from tests.factories import make_job, make_supervisor

pytestmark = pytest.mark.django_db


def make_attempt(**fields) -> Attempt:
    defaults = {"job_id": "job1", "fence": 1, "number": 1, "host": "host1", "pid": 77, "started_at": NOW}
    defaults |= {"finished_at": after(seconds=2), "run_seconds": 2.0, "outcome": "failed", "exit_code": 3}
    return Attempt.objects.create(**(defaults | fields))


def test_it_shows_what_runs_how_it_ended_and_what_to_do():
    make_job(state=State.DEAD, error="exit code 3", exit_code=3, max_retries=0)
    make_attempt(error="exit code 3", output_head="started\n", output_tail="sorry\n")
    text = ok("show", "job1")
    assert text.startswith("job1  dead\n  command     true\n  run by      /bin/sh\n")
    assert "  1  failed" in text
    assert "  │ started\n  │ sorry\n" in text
    assert text.endswith("after 1 attempt: exit code 3.\n  try  queuectl dlq retry job1\n")


def test_it_shows_only_the_end_of_a_long_output():
    make_job(state=State.DEAD)
    make_attempt(output_head="".join(f"line {number}\n" for number in range(40)))
    text = ok("show", "job1")
    assert "  … 30 lines before; all of it: queuectl logs job1\n" in text
    assert "│ line 29\n" not in text
    assert "│ line 30\n" in text


def test_it_shows_what_a_task_returned():
    make_job(kind=Kind.TASK, task="a.tasks.b", state=State.COMPLETED, return_value={"é": 1, "password": "secret"})
    text = ok("show", "job1")
    assert 'returned  {"é": 1, "password": "********"}' in text
    job = json.loads(ok("show", "job1", "--json"))
    assert (job["return_value"], job["backend"]) == ({"é": 1, "password": "********"}, None)


def test_it_shows_a_traceback_after_what_was_printed():
    make_job(kind=Kind.TASK, task="a.tasks.b", state=State.DEAD)
    make_attempt(output_head="said", traceback="Traceback …\nValueError: no\n", exception_class="builtins.ValueError")
    text = ok("show", "job1")
    assert "  │ said\n  │ Traceback …\n  │ ValueError: no\n" in text
    (attempt,) = json.loads(ok("show", "job1", "--json"))["attempt_history"]
    assert attempt["exception_class"] == "builtins.ValueError"


def test_it_shows_how_far_a_running_task_is():
    supervisor = make_supervisor(heartbeat_at=clock.now())
    make_job(kind=Kind.TASK, task="a.tasks.b", state=State.PROCESSING, started_at=NOW, supervisor=supervisor)
    make_attempt(finished_at=None, outcome=None, progress=0.4, progress_message="two of five")
    assert "; 40% done: two of five" in ok("show", "job1")


def test_it_gives_programs_everything():
    make_job(state=State.DEAD, env={"A": "1"}, cwd="/tmp", timeout_seconds=0.0)
    make_attempt()
    job = json.loads(ok("show", "job1", "--json"))
    assert (job["env"], job["cwd"], job["timeout_seconds"], job["uses_shell"]) == ({"A": "1"}, "/tmp", None, True)
    assert job["attempt_history"] == [
        {
            "number": 1,
            "host": "host1",
            "pid": 77,
            "started_at": "2026-01-02T03:04:05Z",
            "finished_at": "2026-01-02T03:04:07Z",
            "run_seconds": 2.0,
            "outcome": "failed",
            "exit_code": 3,
            "error": None,
            "exception_class": None,
            "progress": None,
            "progress_message": None,
        }
    ]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_it_shows_no_secret(words):
    make_job(env={"API_TOKEN": "hush", "PLAIN": "seen", "DB": "postgres://me:hush@db/x"})
    make_job(id="job2", kind="task", command=None, task="a.b", kwargs={"password": "hush"}, args=[{"auth": "hush"}])
    text = ok("show", "job1", *words) + ok("show", "job2", *words)
    assert "hush" not in text
    assert "seen" in text


def test_it_lets_nothing_stored_command_the_terminal():
    make_job(state=State.DEAD, command="echo \x1b[31m", error="\x1b]0;title\x07 \u202e \r over", env={"A": "\x9b2J"})
    make_attempt(output_head="\x1b[2J\x07\b", error="\x1b[1m")
    for words in (["show", "job1"], ["list"], ["dlq", "list"], ["logs", "job1"], ["doctor", "job1"]):
        text = queuectl(*words, "--no-color", stdout=Terminal()).out
        assert not {"\x1b", "\x9b", "\x07", "\b", "\r", "\u202e"} & set(text)


@pytest.mark.parametrize(("text", "shown"), [("{", '"(no JSON)"'), ("[1]", "[1]"), ("5", "5")])
def test_it_shows_a_row_that_somebody_wrote_by_hand(text, shown):
    make_job()
    make_job(id="task1", kind=Kind.TASK, command=None, task="a.b")
    Job.objects.update(env=RawSQL("%s", [text]), args=RawSQL("%s", [text]), kwargs=RawSQL("%s", [text]))

    assert f"  env         {shown}\n" in ok("show", "job1")
    assert shown in ok("show", "task1")
    assert json.loads(ok("show", "task1", "--json"))["id"] == "task1"
    assert ok("list")


def test_it_refuses_an_id_that_is_not_there():
    assert refused("show", "nope", code=4) == "queuectl: there is no job nope"
    assert refused("show", "\x1b[31m" * 100, code=4).isprintable()
