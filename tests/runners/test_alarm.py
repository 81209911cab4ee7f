"""Calls at a given time, from one thread for all jobs of a worker."""

import gc
import threading
import time
import weakref

from jobs.runners.alarm import CANCELLED_MAX, Alarm
from tests.waiting import wait_until


def test_it_calls_in_the_order_of_time():
    alarm, called = Alarm(), list[str]()
    now = time.monotonic()

    for name, seconds in (("third", 0.06), ("first", 0.02), ("second", 0.04)):
        alarm.call_at(now + seconds, lambda name=name: called.append(name))  # type: ignore[misc]

    wait_until(lambda: len(called) == 3)
    assert called == ["first", "second", "third"]


def test_it_never_calls_early():
    alarm, called = Alarm(), list[float]()
    moment = time.monotonic() + 0.05

    alarm.call_at(moment, lambda: called.append(time.monotonic()))

    wait_until(lambda: bool(called))
    assert called[0] >= moment


def test_it_calls_at_once_what_is_past():
    alarm, called = Alarm(), threading.Event()

    alarm.call_at(time.monotonic() + 3_600, lambda: None)
    alarm.call_at(0, called.set)

    assert called.wait(10)


def test_it_does_not_call_what_was_cancelled():
    alarm, called = Alarm(), list[str]()
    moment = time.monotonic() + 0.05

    alarm.cancel(alarm.call_at(moment, lambda: called.append("cancelled")))
    alarm.call_at(moment, lambda: called.append("kept"))

    wait_until(lambda: bool(called))
    assert called == ["kept"]


def test_it_takes_no_notice_of_a_cancellation_that_comes_too_late():
    alarm, called = Alarm(), threading.Event()
    number = alarm.call_at(0, called.set)
    assert called.wait(10)

    alarm.cancel(number)
    alarm.cancel(number)

    again = threading.Event()
    alarm.call_at(0, again.set)
    assert again.wait(10)


def test_it_goes_on_after_a_call_that_fails(caplog):
    alarm, called = Alarm(), threading.Event()

    alarm.call_at(0, lambda: 1 // 0)  # type: ignore[arg-type]
    alarm.call_at(time.monotonic() + 0.02, called.set)

    assert called.wait(10)
    assert "an alarm failed" in caplog.text


def test_a_call_may_ask_for_the_next():
    alarm, called = Alarm(), list[int]()

    def beat() -> None:
        called.append(1)
        if len(called) < 3:
            alarm.call_at(time.monotonic() + 0.005, beat)

    alarm.call_at(0, beat)

    wait_until(lambda: len(called) == 3)


def test_it_lets_go_of_what_was_cancelled_long_before_its_time():
    class Job:
        def end(self) -> None:
            pass

    alarm, job = Alarm(), Job()
    kept = weakref.ref(job)
    number = alarm.call_at(time.monotonic() + 3_600, job.end)

    alarm.cancel(number)
    del job
    gc.collect()

    assert kept() is None


def test_timeouts_that_never_come_take_no_room():
    alarm = Alarm()
    for _ in range(20 * CANCELLED_MAX):
        alarm.cancel(alarm.call_at(time.monotonic() + 3_600, lambda: None))

    assert len(alarm._moments) <= CANCELLED_MAX
    assert not alarm._functions
