"""What a task prints and logs is kept with its attempt, beside going where it went anyway."""

import contextlib
import logging
import sys
import threading
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any, TextIO, cast

from jobs import visible
from jobs.outcome import Output
from jobs.runners.capture import Capture

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Recorder:
    """What one attempt shows of itself. Any thread may add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._capture = Capture()
        self._progress: tuple[float | None, str | None] = (None, None)
        self._shown_count = 0
        self._change_count = 1  # so that the first beat shows even an attempt that says nothing

    def write(self, text: str) -> None:
        with self._lock:
            self._capture.feed(text.encode(errors="replace"))
            self._change_count += 1

    def note_progress(self, share: float, message: str | None) -> None:
        with self._lock:
            self._progress = share, message
            self._change_count += 1

    def news(self) -> Output | None:
        """Return all there is to show, or None if nothing changed since it was last asked."""
        with self._lock:
            if self._change_count == self._shown_count:
                return None
            self._shown_count = self._change_count
            return self._output()

    def output(self) -> Output:
        with self._lock:
            return self._output()

    def _output(self) -> Output:
        share, message = self._progress
        return self._capture.output()._replace(progress=share, progress_message=message)


_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


@contextlib.contextmanager
def into(recorder: Recorder) -> Iterator[None]:
    """Record what is printed and logged in this block, coroutines and `sync_to_async` included."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)


def install() -> None:
    """Watch standard output and the log of this process."""
    if sys.stdout is not None:  # a service may be started without
        sys.stdout = cast(TextIO, _Tee(sys.stdout))
    handler = _Handler()
    handler.setFormatter(logging.Formatter(FORMAT))
    logging.getLogger().addHandler(handler)


class _Handler(logging.Handler):
    """Records; and does what Python does where no handler is, which is no longer so with this one."""

    def emit(self, record: logging.LogRecord) -> None:
        if (
            logging.lastResort is not None
            and record.levelno >= logging.lastResort.level
            and not self._has_other(record)
        ):
            logging.lastResort.handle(record)
        recorder = _recorder.get()
        if recorder is not None:
            try:
                recorder.write(self.format(record) + "\n")
            except Exception:  # noqa: BLE001 - as every handler of the standard library does
                self.handleError(record)

    def _has_other(self, record: logging.LogRecord) -> bool:
        """Return whether another handler gets this record."""
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return True
            logger = logger.parent if logger.propagate else None
        return False


class _Tee:
    """A standard output that is recorded, too. Whatever else is asked of it, the one behind it does.

    A terminal gets it visible: what a task prints must not clear the screen of whoever watches the worker.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()

    def write(self, text: str) -> int:
        recorder = _recorder.get()
        if recorder is not None:
            recorder.write(text)
        self._stream.write(visible.printed(text) if self._is_terminal else text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
