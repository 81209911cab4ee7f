"""`top`: the dashboard in a terminal."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import histogram
from jobs.cli import top
from jobs.models import Counter
from jobs.states import State
from tests.cli.command import Terminal, ok, queuectl
from tests.cli.test_worker import make_living
from tests.factories import make_job
from tests.faked_time import fake_time

pytestmark = pytest.mark.django_db


def make_minute(minutes_ago: int, **numbers: int) -> None:
    seconds = histogram.empty()
    histogram.add(seconds, 0.3)
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=minutes_ago)
    Counter.objects.create(
        minute=minute, queue="default", writer=1, run_histogram=seconds, wait_histogram=seconds, **numbers
    )


def test_it_shows_state_pace_queues_workers_and_the_dead_once_into_a_pipe():
    make_living()
    make_job(id="waiting")
    make_job(id="dead1", state=State.DEAD, error="exit code 7", finished_at=timezone.now())
    make_minute(3, completed=40)
    make_minute(1, completed=10, failed=2)
    make_minute(45, completed=1_000)

    text = ok("top")

    assert text.startswith("running  ")
    assert "1 pending" in text
    assert "50 in 30 min" in text
    assert "2 in 30 min" in text
    assert "█ ▂" in text
    assert "median 300ms, 95 % within 300ms" in text
    assert "QUEUE" in text
    assert "HOST" in text.upper()
    assert "exit code 7" in text


def test_it_has_something_to_say_of_an_empty_queue():
    text = ok("top")
    assert text.startswith("idle")
    assert "0 in 30 min" in text
    assert "wait       –" in text


def test_it_is_drawn_anew_until_interrupted(monkeypatch):
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    fake_time(monkeypatch, "jobs.cli.screen", sleep=sleep)
    monkeypatch.setenv("TERM", "xterm")
    done = queuectl("top", "--every", "5s", stdout=Terminal())
    assert (done.code, looks) == (0, [5, 5, 5])
    assert "every 5.0s; Ctrl-C ends" in done.out


@pytest.mark.parametrize("words", [("top", "--every", "0s"), ("top", "--every", "0.05s"), ("status", "--watch", "0")])
def test_it_refuses_to_look_without_a_pause(words):
    done = queuectl(*words)
    assert done.code == 2
    assert "must be at least 0.1s" in done.err


@pytest.mark.parametrize(
    ("numbers", "blocks"),
    [([], ""), ([0, 0], "  "), ([1], "█"), ([1, 0, 8, 4], "▁ █▄"), ([1, 1_000_000], "▁█"), ([7, 7], "██")],
)
def test_its_blocks_are_as_high_as_their_share(numbers: list[int], blocks: str):
    assert top._blocks(numbers) == blocks


def test_it_shows_nothing_a_terminal_would_obey():
    make_job(id="x", state=State.DEAD, error="\x1b[2Jgone", finished_at=timezone.now())
    assert "\x1b" not in ok("top")
