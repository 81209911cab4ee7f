"""What a task prints and logs is kept with its attempt, and goes where it went anyway."""

# ruff: noqa: T201 - printing is what this is about

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from jobs.runners import recording
from jobs.runners.recording import Recorder
from tests.cli.command import Terminal
from tests.tasks import running

logger = logging.getLogger("tests.recorded")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@contextmanager
def _into(recorder: Recorder) -> Iterator[None]:
    # In the test itself: pytest puts streams of its own in place between a fixture and its test.
    with running.recorded(), recording.into(recorder):
        yield


def _head(recorder: Recorder) -> str:
    return recorder.output().head


def test_it_keeps_what_is_printed_and_passes_it_on(recorder: Recorder, capsys):
    with _into(recorder):
        print("printed é")
        sys.stdout.write("written\n")
        sys.stdout.writelines(["one\n", "two\n"])

    assert _head(recorder) == "printed é\nwritten\none\ntwo\n"
    assert capsys.readouterr().out == "printed é\nwritten\none\ntwo\n"


def test_it_passes_nothing_on_that_a_terminal_would_obey(recorder: Recorder, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    with _into(recorder):
        print("\x1b[2Jcleared")

    assert _head(recorder) == "\x1b[2Jcleared\n"
    assert terminal.getvalue() == "\\x1b[2Jcleared\n"


def test_it_keeps_what_is_logged(recorder: Recorder):
    logger.setLevel(logging.INFO)
    with _into(recorder):
        logger.info("logged %s", "é")

    assert _head(recorder).endswith(" INFO tests.recorded: logged é\n")


def test_it_keeps_the_traceback_of_what_is_logged(recorder: Recorder):
    with _into(recorder):
        try:
            _ = 1 // 0
        except ZeroDivisionError:
            logger.exception("logged")

    assert "ZeroDivisionError" in _head(recorder)


def test_it_keeps_nothing_of_what_is_printed_elsewhere(recorder: Recorder, capsys):
    with _into(recorder):
        thread = threading.Thread(target=lambda: print("elsewhere"))
        thread.start()
        thread.join()
    with running.recorded():
        print("afterwards")

    assert _head(recorder) == ""
    assert capsys.readouterr().out == "elsewhere\nafterwards\n"


def test_two_threads_record_apart(recorder: Recorder):
    recorders = [Recorder(), Recorder()]
    meet = threading.Barrier(2)

    def run(number: int) -> None:
        with recording.into(recorders[number]):
            for _ in range(20):
                meet.wait(10)
                print(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    with running.recorded():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert [_head(each) for each in recorders] == ["0\n" * 20, "1\n" * 20]


def test_it_follows_a_task_into_coroutines_and_back(recorder: Recorder):
    async def say() -> None:
        print("in a coroutine")
        await asyncio.gather(sync_to_async(print)("in a thread of its own"))

    with _into(recorder):
        async_to_sync(say)()

    assert _head(recorder) == "in a coroutine\nin a thread of its own\n"


def test_a_record_that_cannot_be_formatted_harms_nobody(recorder: Recorder, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)

    with _into(recorder):
        logger.warning("%d", "no number")
        logger.warning("next")

    assert _head(recorder).endswith("next\n")


def test_it_takes_text_that_is_no_unicode(recorder: Recorder):
    recorder.write("\udce9\0")

    assert _head(recorder) == "?\u2400"


def test_it_tells_what_is_new_and_only_then(recorder: Recorder):
    assert recorder.news() is not None  # that it runs
    assert recorder.news() is None

    recorder.write("more")
    news = recorder.news()
    assert news is not None
    assert news.head == "more"
    recorder.note_progress(0.5, "half")
    news = recorder.news()
    assert news is not None
    assert (news.head, news.progress, news.progress_message) == ("more", 0.5, "half")
    assert recorder.news() is None


def test_the_stream_is_otherwise_that_of_the_process(capsys):
    before = sys.stdout
    with running.recorded():
        stream = sys.stdout
        assert stream is not before
        assert (stream.encoding, stream.isatty(), stream.buffer) == (before.encoding, before.isatty(), before.buffer)
        stream.flush()


def test_a_warning_that_no_handler_of_the_project_takes_is_still_seen(capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with running.recorded():
        logging.getLogger("nobodys").warning("seen")
        logging.getLogger("nobodys").info("not seen")

    assert capsys.readouterr().err == "seen\n"
