"""Beats of many attempts, from one call of the alarm."""

import threading
import time
from collections.abc import Callable

import pytest

from jobs.runners import beats
from jobs.runners.alarm import Alarm
from jobs.runners.beats import Beats
from tests.waiting import wait_until


class CountingAlarm(Alarm):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def call_at(self, moment: float, function: Callable[[], None]) -> int:
        self.calls += 1
        return super().call_at(moment, function)


@pytest.fixture(autouse=True)
def pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "BEAT_FIRST_SECONDS", 0.05)
    monkeypatch.setattr(beats, "BEAT_SECONDS", 0.02)


def test_it_beats_first_after_a_while_and_then_again():
    beating, moments = Beats(Alarm()), list[float]()
    started = time.monotonic()

    beating.start(lambda: moments.append(time.monotonic()))

    wait_until(lambda: len(moments) >= 3)
    assert moments[0] - started >= 0.05
    assert moments[1] - moments[0] >= 0.02


def test_each_beats_at_its_own_time():
    beating, early, late = Beats(Alarm()), threading.Event(), list[float]()

    beating.start(early.set)
    assert early.wait(10)
    started = time.monotonic()
    beating.start(lambda: late.append(time.monotonic()))

    wait_until(lambda: bool(late))
    assert late[0] - started >= 0.05


def test_it_leaves_alone_what_has_stopped():
    beating, stopped, running = Beats(Alarm()), list[int](), list[int]()

    def beat_stopped() -> None:
        stopped.append(1)

    beating.start(beat_stopped)
    beating.start(lambda: running.append(1))
    beating.stop(beat_stopped)

    wait_until(lambda: len(running) >= 3)
    assert not stopped


def test_it_begins_again_after_a_time_with_nothing_to_do():
    beating, called = Beats(Alarm()), threading.Event()

    def beat() -> None:
        called.set()

    beating.start(beat)
    beating.stop(beat)
    wait_until(lambda: not beating._is_awaited)
    beating.start(beat)

    assert called.wait(10)


def test_short_attempts_share_a_call_of_the_alarm():
    alarm = CountingAlarm()
    beating = Beats(alarm)

    for number in range(1_000):
        beat = [number].clear
        beating.start(beat)
        beating.stop(beat)

    assert alarm.calls < 10
