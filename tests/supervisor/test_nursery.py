"""Workers as processes: started, reported on, and started by another nursery when the first has died.

pytest has threads, so these nurseries are fresh interpreters; those that are forked are tested in `tests/e2e`.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import processes, worker
from jobs.channel import Channel
from jobs.supervisor import nursery as nurseries
from jobs.supervisor.nursery import Child, Nursery
from tests.waiting import wait_until

SECONDS = 30.0


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    monkeypatch.setenv(processes.SUPERVISOR_VARIABLE, "a test of the nursery")
    over = threading.Event()
    thread = threading.Thread(target=over.wait)  # with `-n 0` there would be no other
    thread.start()
    with Nursery(worker.Options(thread_count=1, grace_seconds=1)) as nursery:
        yield nursery
    over.set()
    thread.join()


def _started(nursery: Nursery) -> tuple[Child, Channel]:
    ours, theirs = socket.socketpair()
    with theirs:
        return nursery.start_worker(theirs), Channel(ours)


def _ready_pid(channel: Channel) -> int:
    readable, _, _ = select.select([channel], [], [], SECONDS)
    assert readable
    (message,) = channel.receive()
    return int(message["ready"])


def _close(*started: tuple[Child, Channel]) -> None:
    for child, channel in started:
        channel.close()
        child.close()


def test_it_forks_only_a_process_that_has_one_thread(nursery: Nursery):
    assert not nurseries._may_fork()


def test_it_reports_the_pid_and_how_the_worker_ended(nursery: Nursery):
    child, channel = _started(nursery)
    wait_until(lambda: child.look() or child.pid, timeout_seconds=SECONDS)
    assert child.pid == _ready_pid(channel)
    assert not child.has_ended

    child.kill()
    child.join(SECONDS)

    assert child.exit_code == -signal.SIGKILL
    _close((child, channel))


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory that has a module of a name that Python's own modules have; return what it leaves behind."""
    sign = tmp_path / "imported"
    (tmp_path / "json.py").write_text(f"open({str(sign)!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    return sign


def test_it_imports_nothing_from_where_it_was_started(trap: Path, nursery: Nursery):
    child, channel = _started(nursery)
    assert _ready_pid(channel)
    assert not trap.exists()
    _close((child, channel))


def test_it_lets_a_worker_go_that_has_no_supervisor(nursery: Nursery):
    child, channel = _started(nursery)
    _ready_pid(channel)

    channel.close()
    child.join(SECONDS)

    assert child.exit_code == 0
    child.close()


def test_it_kills_a_worker_that_is_yet_to_be_born(nursery: Nursery):
    os.kill(nursery.pid, signal.SIGSTOP)
    child, channel = _started(nursery)
    child.kill()
    os.kill(nursery.pid, signal.SIGCONT)

    child.join(SECONDS)

    assert child.exit_code == -signal.SIGKILL
    _close((child, channel))


def test_it_starts_workers_by_another_process_when_the_first_is_dead(nursery: Nursery, caplog):
    first, first_channel = _started(nursery)
    _ready_pid(first_channel)
    first_pid = nursery.pid

    os.kill(first_pid, signal.SIGKILL)
    first.join(SECONDS)
    assert first.is_orphan
    first.kill()
    first.join_orphan(SECONDS)
    second, second_channel = _started(nursery)

    assert _ready_pid(second_channel)
    assert nursery.pid != first_pid
    assert f"the nursery died pid={first_pid}" in caplog.text
    _close((first, first_channel), (second, second_channel))


def test_a_worker_is_heard_to_have_died_when_its_nursery_could_not_start_it(nursery: Nursery):
    os.kill(nursery.pid, signal.SIGSTOP)
    child, channel = _started(nursery)
    os.kill(nursery.pid, signal.SIGKILL)

    child.join(SECONDS)

    assert (child.has_ended, child.pid, child.exit_code) == (True, None, None)
    assert not child.is_orphan
    _close((child, channel))


LAST_SIGNAL = """
import os, signal, socket
import django
django.setup()
from jobs import worker
from jobs.supervisor.nursery import _Server

requests, supervisor = socket.socketpair()
supervisor.close()
_Server(requests, worker.Options(thread_count=1, grace_seconds=1)).run()
os.kill(os.getpid(), signal.SIGCHLD)
"""


def test_it_says_nothing_when_a_worker_ends_with_its_supervisor():
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", processes.SUPERVISOR_VARIABLE: "a test"}
    done = subprocess.run([sys.executable, "-c", LAST_SIGNAL], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
