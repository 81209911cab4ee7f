"""`queue`: listing, pausing, resuming."""

import json

import pytest

from jobs.cli.author import author
from jobs.models import Config
from jobs.states import State
from tests.cli.command import ok, queuectl, refused
from tests.factories import make_jobs

pytestmark = pytest.mark.django_db


def test_it_lists_queues_with_what_is_in_them():
    make_jobs([{"id": "a", "queue": "mail"}, {"id": "b", "queue": "mail"}, {"id": "c"}])
    rows = {row["queue"]: row for row in json.loads(ok("queue", "list", "--json"))}
    assert (rows["mail"]["pending"], rows["default"]["pending"]) == (2, 1)
    assert ok("queue", "list").splitlines()[2].split()[:2] == ["mail", "2"]


def test_it_says_that_there_is_none():
    assert queuectl("queue", "list").err == "No queue yet; the first job makes one.\n"


def test_it_pauses_with_a_reason_and_an_end():
    text = ok("queue", "pause", "mail", "--reason", "provider is down", "--for", "1h")
    assert "UTC (in 1h); running jobs go on. Resume: queuectl queue resume mail\n" in text
    row = Config.objects.get(pk="mail")
    assert row.paused_reason == "provider is down"
    shown = ok("queue", "list")
    assert f"by {author()} " in shown
    assert ", resumes in 59m5" in shown
    assert ": provider is down" in shown
    (mail,) = json.loads(ok("queue", "list", "--json"))
    assert mail["paused_by"] == author()


def test_it_says_that_no_job_was_in_a_queue_that_is_paused():
    assert queuectl("queue", "pause", "mial").err == "No job has been in mial so far.\n"
    make_jobs([{"id": "a", "queue": "mail"}, {"id": "b", "state": State.COMPLETED}])
    assert queuectl("queue", "pause", "mall").err == "No job has been in mall so far; there are: default, mail, mial.\n"
    assert queuectl("queue", "pause", "mail").err == ""


def test_it_resumes():
    ok("queue", "pause", "mail")
    assert ok("queue", "resume", "mail") == "mail hands out jobs again. Watch: queuectl status --watch\n"
    assert refused("queue", "resume", "mail", code=5) == "queuectl: queue mail is not paused"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["pause"], "the following arguments are required: QUEUE"),
        (["pause", "a b"], "QUEUE: must be printable and without spaces"),
        (["pause", "*"], "QUEUE: must not be *"),
        (["pause", "mail", "--for", "a while"], "--for: must be a duration such as 90s, 10m, 1h30m or 2d"),
        (["pause", "mail", "--for", "99999d"], "--for: must be less than 100 years"),
        (["pause", "mail", "--reason", "x" * 1_000], "--reason: must have at most"),
    ],
)
def test_it_refuses_what_is_wrong_and_pauses_nothing(words, problem):
    assert problem in refused("queue", *words)
    assert not Config.objects.exists()
