"""`list`: which jobs, in which order, in which form."""

import json

import pytest

from jobs.states import State
from tests.cli.command import Terminal, ok, queuectl, refused
from tests.clock import after
from tests.factories import make_job, make_jobs

pytestmark = pytest.mark.django_db

KEYS = {
    "id", "kind", "command", "task", "queue", "state", "priority", "attempts", "max_retries", "run_at", "enqueued_at",
    "started_at", "finished_at", "exit_code", "outcome", "error",
}  # fmt: skip


def ids(*words: str) -> list[str]:
    return [job["id"] for job in json.loads(ok("list", "--json", *words))]


def test_it_lists_the_last_enqueued_first():
    make_jobs({"id": name, "enqueued_at": after(seconds=place)} for place, name in enumerate("abc"))
    assert ids() == ["c", "b", "a"]


def test_it_lists_jobs_of_the_states_that_are_asked_for():
    make_jobs({"id": state.value, "state": state} for state in State if state is not State.PROCESSING)
    assert ids("--state", "dead") == ["dead"]
    assert sorted(ids("--state", "dead", "--state", "failed")) == ["dead", "failed"]
    assert ids("--state", "processing") == []


def test_it_lists_jobs_of_a_queue_and_a_kind():
    make_jobs([{"id": "a", "queue": "mail"}, {"id": "b"}, {"id": "c", "kind": "task", "task": "app.tasks.send"}])
    assert ids("--queue", "mail") == ["a"]
    assert ids("--kind", "task") == ["c"]


def test_it_lists_no_more_than_the_limit_and_says_that_there_are_more():
    make_jobs({"id": f"job{number}"} for number in range(4))
    done = queuectl("list", "--limit", "3")
    assert len(done.out.splitlines()) == 1 + 3
    assert done.err == "There are more; see them with --limit 30.\n"


def test_it_gives_every_job_the_keys_of_the_contract():
    make_job()
    (job,) = json.loads(ok("list", "--json"))
    assert set(job) == KEYS
    assert job["run_at"] == "2026-01-02T03:04:05Z"


def test_it_cuts_nothing_in_a_pipe():
    make_job(command="x" * 500)
    assert "x" * 500 in ok("list")


def test_it_fits_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    make_job(command="x" * 500)
    lines = queuectl("list", "--no-color", stdout=Terminal()).out.splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[1].endswith("x…")


def test_it_prints_an_empty_list_as_json_and_a_hint_for_people():
    assert ok("list", "--json") == "[]\n"
    done = queuectl("list")
    assert (done.code, done.out, done.err) == (0, "", 'No jobs yet. Add one: queuectl enqueue "echo hi"\n')


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--state", "ded"], "--state: there is no state 'ded'; choose from scheduled,"),
        (["--limit", "0"], "--limit: must be a whole number from 1 to 1000000"),
        (["--limit", "1e3"], "--limit: must be a whole number from 1 to 1000000"),
        (["--limit", "9" * 5_000], "--limit: must be a whole number from 1 to 1000000"),
        (["--queue", "a b"], "--queue: must be printable and without spaces"),
        (["--quue", "mail"], "there is no option --quue; did you mean --queue?"),
        (["extra"], "'extra' is one argument too many"),
        (["--kind", "shel"], "there is no choice 'shel'; did you mean shell?"),
    ],
)
def test_it_refuses_what_is_wrong_and_names_it(words, problem):
    message = refused("list", *words)
    assert message.startswith("queuectl list: ")
    assert problem in message
    assert message.endswith("(see queuectl list --help)")
