"""A job that fails makes the test fail, unless the test is about that."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from datetime import timedelta

import pytest

from jobs.models import Job
from jobs.states import Ending, State
from jobs.tasks import api
from jobs.testing import JobFailed, drain, drain_past_failures
from tests.testing import samples
from tests.testing.test_draining import enqueue_command
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


def test_it_raises_what_a_task_raised_with_its_traceback():
    samples.fail.enqueue("out of paper")
    with pytest.raises(ValueError, match="out of paper") as raised:
        drain()
    assert "raise ValueError(message)" in "".join(traceback.format_exception(raised.value))


def test_it_raises_after_the_attempt_was_recorded():
    result = samples.fail.enqueue()
    samples.add.enqueue(1)
    with pytest.raises(ValueError, match="no luck"):
        drain()
    result.refresh()
    assert [error.exception_class for error in result.errors] == [ValueError]
    assert [ran.return_value for ran in drain()] == [1]


@pytest.mark.parametrize("task", [samples.never_retry, samples.return_object])
def test_it_raises_whatever_ends_an_attempt_as_failed(task):
    task.enqueue()
    with pytest.raises(Exception):  # noqa: B017, PT011 - of any class
        drain()


def test_it_raises_what_a_coroutine_raised():
    samples.add_async.enqueue("a", b=1)
    with pytest.raises(TypeError):
        drain()


def test_it_raises_an_exit():
    samples.exit_with.enqueue(3)
    with pytest.raises(SystemExit) as raised:
        drain()
    assert raised.value.code == 3


def test_it_says_why_a_task_could_not_be_loaded():
    samples.add.enqueue(1)
    Job.objects.update(task="tests.testing.samples.gone")
    with pytest.raises(JobFailed, match=r"(?s)samples\.gone\(1\) failed: ImportError: .*Traceback"):
        drain()


def test_it_says_what_a_command_printed():
    enqueue_command("echo about to fail; exit 3")
    with pytest.raises(JobFailed, match=r"exit 3 failed: exit code 3\nabout to fail$"):
        drain()


def test_it_does_not_take_for_a_failure_what_a_task_asks_for():
    for task in (samples.cancel_itself, samples.run_later.using()):
        task.enqueue(*([60] if task.name == "run_later" else []))
    enqueue_command("exit 75")
    attempts = {ran.what.rpartition(".")[2]: ran for ran in drain()}
    assert attempts["cancel_itself"].state == "cancelled"
    assert attempts["run_later"].state == attempts["exit 75"].state == "failed"
    assert not any(ran.is_failure for ran in attempts.values())


def test_it_does_not_take_for_the_task_s_an_exception_that_the_test_handles():
    """A load that failed with the same class is still reported as what it is."""
    samples.add.enqueue(1)
    try:
        raise KeyError("of the test")
    except KeyError:
        (ran,) = drain()
    assert ran.exception is None


def test_it_goes_on_past_failures():
    samples.fail.enqueue()
    samples.exit_with.enqueue(3)
    samples.add.enqueue(1)
    attempts = drain_past_failures()
    assert [ran.state for ran in attempts] == ["failed", "dead", "completed"]
    assert [type(ran.exception) for ran in attempts] == [ValueError, SystemExit, type(None)]
    assert [ran.is_failure for ran in attempts] == [True, True, False]
    assert attempts[0].error == "ValueError: no luck"
    assert "raise ValueError(message)" in str(attempts[0].traceback)


def test_it_takes_a_task_to_the_dead_letter_queue():
    result = samples.fail.enqueue()
    attempts = drain_past_failures(ahead=timedelta(hours=1))
    assert [ran.state for ran in attempts] == ["failed"] * 3 + ["dead"]
    result.refresh()
    assert result.status == api.TaskResultStatus.FAILED
    assert len(result.errors) == 4


def test_it_ends_a_task_whose_time_is_over():
    samples.spin.using(timeout=1, max_retries=0).enqueue(60)
    with pytest.raises(JobFailed, match=r"timed_out: timed out after 1 s") as raised:
        drain()
    assert "ended by TimedOut" in Job.objects.get().attempt_set.get().output
    assert raised.value.__cause__ is not None
    for _ in range(1_000):  # an exception on its way to this thread would arrive now
        pass


def test_it_ends_a_coroutine_whose_time_is_over():
    samples.wait.using(timeout=0.1, max_retries=0).enqueue(60)
    (ran,) = drain_past_failures()
    assert (ran.ending, ran.state) == (Ending.TIMED_OUT, State.DEAD)


def test_it_ends_a_command_whose_time_is_over():
    enqueue_command("echo begun; sleep 60", timeout=0.5, max_retries=0)
    (ran,) = drain_past_failures()
    assert (ran.ending, ran.output) == (Ending.TIMED_OUT, "begun\n")


def test_it_leaves_the_children_of_the_test_alone():
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        enqueue_command("true")
        drain()
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_it_leaves_the_output_and_the_log_as_they_were():
    import logging

    before = sys.stdout, list(logging.root.handlers)
    samples.report.enqueue()
    samples.fail.enqueue()
    drain_past_failures()
    assert (sys.stdout, list(logging.root.handlers)) == before


@pytest.mark.parametrize("run", [drain, drain_past_failures])
def test_a_keyboard_interrupt_ends_the_test(run):
    samples.interrupt.enqueue()
    with pytest.raises(KeyboardInterrupt):
        run()
    assert Job.objects.get().state == State.FAILED


@pytest.mark.parametrize("run", [drain, drain_past_failures])
@pytest.mark.parametrize("task", [samples.sleep, samples.wait])
def test_a_ctrl_c_ends_the_test_while_a_task_waits(run, task):
    task.enqueue(20)
    began = time.monotonic()
    with _ctrl_c_soon(), pytest.raises(KeyboardInterrupt):
        run()
    assert time.monotonic() - began < 10


def test_a_ctrl_c_ends_a_command_with_the_test(tmp_path):
    path = tmp_path / "pid"
    enqueue_command(f"echo $$ > {path}; exec sleep 20")
    with _ctrl_c_soon(lambda: path.exists() and path.stat().st_size > 0), pytest.raises(KeyboardInterrupt):
        drain_past_failures()
    pid = int(path.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


class _ctrl_c_soon:  # noqa: N801
    """Sends a Ctrl-C after a moment, when what it should meet is there."""

    def __init__(self, is_there=lambda: True):
        self._is_there = is_there

    def __enter__(self):
        assert threading.current_thread() is threading.main_thread()
        self._previous = signal.signal(signal.SIGINT, signal.default_int_handler)
        self._timer = threading.Timer(1.0, self._send)
        self._timer.start()

    def _send(self):
        wait_until(self._is_there, timeout_seconds=15)
        os.kill(os.getpid(), signal.SIGINT)

    def __exit__(self, *_):
        self._timer.join()
        signal.signal(signal.SIGINT, self._previous)


def test_what_a_test_runner_raises_ends_the_test(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("too slow"))
    samples.sleep.enqueue(1)
    with pytest.raises(pytest.fail.Exception, match="too slow"):
        drain_past_failures()
