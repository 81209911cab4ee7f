"""`dlq`: reading, retrying and discarding the Dead Letter Queue."""

import json

import pytest

from jobs.models import Job
from jobs.states import State
from tests.cli.command import ok, queuectl, refused
from tests.clock import after
from tests.factories import make_job, make_jobs

pytestmark = pytest.mark.django_db


def make_dead(count: int, **fields) -> None:
    rows = ({"id": f"dead{n}", "state": State.DEAD, "finished_at": after(seconds=n), **fields} for n in range(count))
    make_jobs(rows)


def test_it_lists_the_last_to_die_first():
    make_dead(3)
    make_job(state=State.COMPLETED)
    assert [job["id"] for job in json.loads(ok("dlq", "list", "--json"))] == ["dead2", "dead1", "dead0"]


def test_it_lists_errors_and_the_next_step():
    make_dead(2, error="no route")
    done = queuectl("dlq", "list", "--limit", "1")
    assert "no route" in done.out
    assert done.err == "1 of 2. Run one again: queuectl dlq retry dead1\n"


def test_it_says_that_it_is_empty():
    assert queuectl("dlq", "list").err == "The Dead Letter Queue is empty.\n"


def test_it_asks_about_all_the_dead_and_not_a_part_of_them(monkeypatch):
    monkeypatch.setattr("jobs.stats._counts.COUNT_MAX", 2)
    make_dead(4)
    assert "1 of 2+." in queuectl("dlq", "list", "--limit", "1").err
    assert "Delete all dead jobs (4) with" in queuectl("dlq", "discard", "--all", answer="n").err


def test_it_shows_only_dead_jobs():
    make_dead(1)
    make_job()
    assert ok("dlq", "show", "dead0").startswith("dead0  dead\n")
    assert refused("dlq", "show", "job1", code=5) == "queuectl: job1 is pending, not dead; see queuectl show job1"


def test_it_retries_named_jobs_and_no_others():
    make_dead(2)
    ok("dlq", "retry", "dead0")
    assert [Job.objects.get(pk=id_).state for id_ in ("dead0", "dead1")] == [State.PENDING, State.DEAD]


def test_it_does_not_retry_a_job_that_is_not_dead():
    make_job(state=State.COMPLETED)
    assert "only dead jobs can be retried" in refused("dlq", "retry", "job1", code=5)


def test_it_retries_all_of_a_queue():
    make_dead(3, queue="mail")
    make_job(state=State.DEAD)
    assert ok("dlq", "retry", "--all", "--queue", "mail").startswith("3 dead jobs are pending again.")
    assert Job.objects.get(pk="job1").state == State.DEAD
    assert ok("dlq", "retry", "--all").startswith("1 dead job is pending again.")
    assert ok("dlq", "retry", "--all") == "No dead jobs.\n"


def test_it_discards_named_jobs():
    make_dead(2)
    assert ok("dlq", "discard", "dead0") == "dead0 is discarded.\n"
    assert list(Job.objects.values_list("pk", flat=True)) == ["dead1"]


def test_it_discards_all_only_when_that_is_confirmed():
    make_dead(3)
    assert "--all: needs --yes where nobody can be asked; nothing was discarded" in refused("dlq", "discard", "--all")
    assert Job.objects.count() == 3
    assert ok("dlq", "discard", "--all", "--yes") == "3 dead jobs discarded.\n"
    assert not Job.objects.exists()


@pytest.mark.parametrize("answer", ["", "n", "yes please"])
def test_it_asks_a_person_and_takes_only_yes_for_yes(answer):
    make_dead(1)
    asked = queuectl("dlq", "discard", "--all", answer=answer)
    assert (asked.code, Job.objects.count()) == (1, 1)
    assert asked.err == "Delete all dead jobs (1) with their attempts and output? [y/N] Nothing was discarded.\n"
    assert queuectl("dlq", "discard", "--all", answer="y").code == 0
    assert not Job.objects.exists()


@pytest.mark.parametrize(("verb", "done"), [(["delete"], "deleted"), (["dlq", "discard"], "discarded")])
def test_it_asks_before_it_deletes_named_jobs(verb, done):
    make_dead(2)
    asked = queuectl(*verb, "dead0", "dead1", answer="n")
    assert (asked.code, Job.objects.count()) == (1, 2)
    assert asked.err == f"Delete 2 jobs with all attempts and output? [y/N] Nothing was {done}.\n"
    assert queuectl(*verb, "--yes", "dead0", answer="n").code == 0
    assert queuectl(*verb, "dead1", answer="y").code == 0
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["retry"], "JOB: is missing; name jobs, or use --all"),
        (["retry", "--all", "job1"], "--all: does not go with ids"),
        (["retry", "job1", "--queue", "mail"], "--queue: goes with --all"),
        (["discard"], "JOB: is missing; name jobs, or use --all"),
        (["discrad"], "there is no verb 'discrad'; did you mean discard?"),
        ([], "a verb is missing: list, show, retry, discard"),
    ],
)
def test_it_refuses_what_is_wrong_and_names_it(words, problem):
    assert problem in refused("dlq", *words)
