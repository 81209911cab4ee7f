"""Raising an exception in a thread that is busy with a task."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from jobs.runners.interrupt import Interrupter
from jobs.tasks import Cancelled, Released, Stopped, TimedOut
from tests.waiting import wait_until

# An exception that arrives while the collector calls back is lost there. A worker is ended for that; pytest complains.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Busy:
    """A thread that runs a function with an interrupter of its own, and what came of it."""

    def __init__(self, function: Callable[[Interrupter], object]) -> None:
        self.interrupter: Interrupter | None = None
        self.came: Any = None
        self._function = function
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_until(lambda: self.interrupter is not None)

    def _run(self) -> None:
        try:
            self.interrupter = Interrupter()
            self.came = self._function(self.interrupter)
        except BaseException as error:  # noqa: BLE001 - it is what is looked at
            self.came = error.with_traceback(None)  # which would lead back here, and leave a circle to collect

    def interrupt(self, sign: type[Stopped]) -> None:
        assert self.interrupter is not None
        self.interrupter.interrupt(sign)

    def end(self) -> Any:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.came


def _spin(interrupter: Interrupter) -> None:
    interrupter.open()
    while True:
        sum(range(100))


@pytest.mark.parametrize("sign", [TimedOut, Cancelled, Released])
def test_it_raises_in_python_code(sign: type[Stopped]):
    busy = Busy(_spin)

    busy.interrupt(sign)

    assert type(busy.end()) is sign


def test_it_raises_once():
    def stay(interrupter: Interrupter) -> str:
        try:
            _spin(interrupter)
        except Stopped:
            until = time.monotonic() + 0.1
            while time.monotonic() < until:
                sum(range(100))
        return "stayed"

    busy = Busy(stay)
    busy.interrupt(TimedOut)
    busy.interrupt(Cancelled)

    assert busy.end() == "stayed"
    assert busy.interrupter is not None
    assert busy.interrupter.sign is TimedOut


def test_it_raises_nothing_before_it_is_open_and_then_at_once():
    asked, opened = threading.Event(), list[bool]()

    def open_late(interrupter: Interrupter) -> None:
        assert asked.wait(10)
        sum(range(100))
        opened.append(True)
        interrupter.open()

    busy = Busy(open_late)
    busy.interrupt(TimedOut)
    asked.set()

    assert type(busy.end()) is TimedOut
    assert opened


def test_it_raises_nothing_when_it_is_closed():
    closed, asked = threading.Event(), threading.Event()

    def close(interrupter: Interrupter) -> str:
        interrupter.open()
        interrupter.close()
        closed.set()
        assert asked.wait(10)
        return "undisturbed"

    busy = Busy(close)
    assert closed.wait(10)
    busy.interrupt(TimedOut)
    asked.set()

    assert busy.end() == "undisturbed"
    assert busy.interrupter is not None
    assert busy.interrupter.sign is None


def test_what_is_raised_while_it_closes_comes_before_the_end_or_not_at_all():
    def close(interrupter: Interrupter) -> str:
        interrupter.open()
        interrupter.close()
        sum(range(1_000))
        return "undisturbed"

    for _ in range(100):
        busy = Busy(close)
        busy.interrupt(TimedOut)
        came = busy.end()
        assert came == "undisturbed" or type(came) is TimedOut


def test_it_disturbs_no_other_thread():
    first, second = Busy(_spin), Busy(_spin)

    first.interrupt(TimedOut)

    assert type(first.end()) is TimedOut
    assert second.came is None
    second.interrupt(Cancelled)
    assert type(second.end()) is Cancelled


def test_it_cancels_a_coroutine_that_waits():
    attached = threading.Event()

    async def wait(interrupter: Interrupter) -> str:
        coroutine = asyncio.current_task()
        assert coroutine is not None
        interrupter.attach(coroutine)
        attached.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "cancelled"
        return "slept"

    busy = Busy(lambda interrupter: asyncio.run(wait(interrupter)))
    assert attached.wait(10)
    busy.interrupt(TimedOut)

    assert busy.end() == "cancelled"


def test_it_cancels_a_coroutine_that_was_to_be_interrupted_before_it_began():
    async def wait(interrupter: Interrupter) -> str:
        coroutine = asyncio.current_task()
        assert coroutine is not None
        interrupter.attach(coroutine)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "cancelled"
        return "slept"

    interrupter = Interrupter()
    interrupter.sign = TimedOut

    assert asyncio.run(wait(interrupter)) == "cancelled"
