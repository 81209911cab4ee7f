"""Raises an exception in a thread that runs a task, at its next step of Python code.

What waits in C code (a `time.sleep`, a query) sees it only when that returns; for that there is the end of the worker.
"""

import asyncio
import ctypes
import threading
from collections.abc import Callable

from jobs.tasks import Stopped


class Interrupter:
    """Interrupts what the thread that made it runs, once, between `open` or `attach` and `close`.

    Only the task itself is interrupted, never the code around it: an exception at the wrong step there would leave a
    lock taken for good, such as that of the alarm, and no other task of the worker would ever time out.
    """

    def __init__(self) -> None:
        self._thread_id = threading.get_ident()
        self._lock = threading.RLock()
        self._deliver: Callable[[type[Stopped]], object] | None = None  # None: there is nothing to interrupt yet
        self._is_closed = False
        self.sign: type[Stopped] | None = None  # what was raised, or is about to be

    def interrupt(self, sign: type[Stopped]) -> None:
        """Raise `sign` in the task, or as soon as it begins. May be called from any other thread."""
        with self._lock:
            if self.sign is None and not self._is_closed:
                self.sign = sign
                if self._deliver is not None:
                    self._deliver(sign)

    def open(self) -> None:
        """From now on, interrupt this thread. Raise what it has been asked to raise already."""
        with self._lock:
            self._deliver = self._raise
            sign = self.sign
        if sign is not None:
            raise sign

    def attach(self, coroutine: "asyncio.Task[object]") -> None:
        """From now on, interrupt by cancelling this coroutine, which may be waiting; now, if it has been asked for."""
        loop = coroutine.get_loop()
        with self._lock:
            self._deliver = lambda _: loop.call_soon_threadsafe(coroutine.cancel)
            if self.sign is not None:
                coroutine.cancel()

    def close(self) -> None:
        """Let the thread go on undisturbed. What has not reached it by now never will."""
        with self._lock:
            self._is_closed = True
            _raise_in(self._thread_id, ctypes.py_object())

    def _raise(self, sign: type[Stopped]) -> None:
        _raise_in(self._thread_id, ctypes.py_object(sign))


def _raise_in(thread_id: int, exception: "ctypes.py_object[type[BaseException]]") -> None:
    """Let an exception be raised in a thread; an empty one takes back what has not been raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), exception)
