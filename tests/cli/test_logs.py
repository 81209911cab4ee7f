"""`logs`: what was printed, and following what is being printed."""

import json
import random

import pytest
from django.utils import timezone

from jobs.cli import logs, obstacles
from jobs.cli.follow import Reader
from jobs.cli.output import Output
from jobs.errors import NotFound
from jobs.models import Attempt, Job
from jobs.runners.capture import HEAD_BYTES, Capture
from jobs.states import State
from tests.cli.command import Terminal, ok, queuectl, refused
from tests.clock import NOW, after
from tests.factories import make_job
from tests.faked_time import fake_time

pytestmark = pytest.mark.django_db


def make_attempt(number: int = 1, **fields) -> Attempt:
    defaults = {"job_id": "job1", "fence": number, "number": number, "host": "host1", "pid": 77, "started_at": NOW}
    defaults |= {"finished_at": after(seconds=2), "run_seconds": 2.0, "outcome": "failed", "exit_code": 3}
    return Attempt.objects.create(**(defaults | fields))


def test_it_prints_the_latest_attempt_as_it_was_stored():
    make_job(state=State.DEAD)
    make_attempt(1, output_head="first\n")
    make_attempt(2, output_head="second \x1b[31m", output_tail="\r\nend")
    assert ok("logs", "job1") == "second \x1b[31m\r\nend"


def test_it_prints_a_traceback_after_the_output():
    make_job(state=State.DEAD)
    make_attempt(1, output_head="said", traceback="Traceback\n")
    assert ok("logs", "job1") == ok("logs", "job1", "--follow") == "said\nTraceback\n"


def test_it_prints_the_attempt_that_is_asked_for():
    make_job(state=State.DEAD)
    make_attempt(1, output_head="first\n")
    make_attempt(2, output_head="second\n")
    assert ok("logs", "job1", "--attempt", "1") == "first\n"
    assert refused("logs", "job1", "--attempt", "3", code=4).endswith("job1 has no attempt 3; see queuectl show job1")


def test_it_makes_output_harmless_on_a_terminal():
    make_job(state=State.DEAD)
    make_attempt(output_head="a\tb\r\n\x1b[2J\x9b\x01c")
    assert queuectl("logs", "job1", stdout=Terminal()).out == "a\tb\n\\x1b[2J\\x9b\\x01c\n"


def test_it_says_where_the_middle_was_dropped():
    make_job(state=State.DEAD)
    make_attempt(output_head="begin", output_tail="end", output_dropped_bytes=1_000)
    assert ok("logs", "job1") == "begin\n… 1000 bytes dropped …\nend"


def test_it_says_why_there_is_nothing_yet():
    make_job()
    done = queuectl("logs", "job1")
    assert (done.code, done.out, done.err) == (0, "", "job1 has not run yet: no worker is running.\n")
    assert json.loads(ok("logs", "job1", "--json")) is None


def test_it_gives_programs_both_parts():
    make_job(state=State.DEAD)
    make_attempt(output_head="begin", output_tail="end", output_dropped_bytes=5, traceback="Traceback")
    attempt = json.loads(ok("logs", "job1", "--json"))
    assert (attempt["output_head"], attempt["output_tail"], attempt["output_dropped_bytes"]) == ("begin", "end", 5)
    assert (attempt["exit_code"], attempt["traceback"]) == (3, "Traceback")


def test_it_follows_a_finished_job_to_its_end_at_once():
    make_job(state=State.DEAD, error="exit code 3")
    make_attempt(output_head="printed\n")
    done = queuectl("logs", "job1", "--follow")
    assert (done.code, done.out, done.err) == (0, "printed\n", "job1 is dead after 1 attempt: exit code 3.\n")


@pytest.mark.usefixtures("small_steps")
def test_it_follows_a_job_through_a_retry():
    """What a supervisor would write is written between two looks."""
    make_job(state=State.PROCESSING)
    running = make_attempt(1, output_head="a", outcome=None, finished_at=None)

    def fail() -> None:
        update(running, output_head="abc\n", outcome="failed", exit_code=3)
        becomes(State.FAILED)

    def complete() -> None:
        make_attempt(2, output_head="again\n", outcome="completed")
        becomes(State.COMPLETED)

    steps = iter((lambda: update(running, output_head="ab"), fail, lambda: becomes(State.PENDING), complete))
    with pytest.MonkeyPatch.context() as patch:
        fake_time(patch, "jobs.cli.logs", sleep=lambda _: next(steps)())
        done = queuectl("logs", "job1", "--follow")
    assert (done.code, done.out) == (0, "abc\nagain\n")
    assert "Attempt 1: failed, exit code 3; the next one is due" in done.err
    assert "job1 waits: no worker is running (queuectl worker start)." in done.err
    assert "Attempt 2, on host1:\n" in done.err
    assert done.err.endswith("job1 completed.\n")


def update(attempt: Attempt, **fields) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(**fields)


def becomes(state: State) -> None:
    final = timezone.now() if state is State.COMPLETED else None
    Job.objects.update(state=state, supervisor=None, finished_at=final)


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(obstacles, "LOOK_SECONDS", 0.0)


def snapshot(reader: Reader, capture: Capture, *, is_over: bool) -> tuple[int, str]:
    output = capture.output()
    piece = reader.read(head=output.head, tail=output.tail, dropped_bytes=output.dropped_bytes, is_over=is_over)
    return piece.skipped_bytes, piece.text


@pytest.mark.parametrize("seed", range(20))
def test_it_reads_every_byte_once_when_it_reads_often_enough(seed):
    """The cap is passed several times; characters are cut anywhere; single bytes may be no UTF-8."""
    chance = random.Random(seed)
    letters = ["a", "\n", "é", "日", "🙂", "\0"]
    data = "".join(chance.choices(letters, k=150_000)).encode() + b"\xff\nend"
    reader, capture = Reader(), Capture()
    text, place = "", 0
    while place < len(data):
        size = chance.choice([1, 3, 700, 5_000, HEAD_BYTES - 4])
        capture.feed(data[place : place + size])
        place += size
        skipped, new = snapshot(reader, capture, is_over=False)
        assert skipped == 0
        text += new
    text += snapshot(reader, capture, is_over=True)[1]
    assert text == data.decode("utf-8", "replace").replace("\0", "\u2400")


def test_it_counts_what_was_dropped_before_it_looked():
    reader, capture = Reader(), Capture()
    capture.feed(b"h" * HEAD_BYTES)
    assert snapshot(reader, capture, is_over=False) == (0, "h" * HEAD_BYTES)
    capture.feed(b"x" * 100_000 + b"t" * 65_536)
    assert snapshot(reader, capture, is_over=False) == (100_000, "t" * 65_536)
    assert snapshot(reader, capture, is_over=True) == (0, "")


def test_it_ends_when_the_job_is_deleted():
    make_job()
    follower = logs.Follower("job1", Output(Terminal(), Terminal()))
    Job.objects.all().delete()
    with pytest.raises(NotFound):
        follower.follow()
