"""The end of processes that a dead worker left, and of the trees of jobs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import processes
from tests.waiting import wait_until

# Stands in for a supervisor: a subreaper with a child of its own, and the orphans of a worker that was killed.
SUPERVISOR = """
import json, os, subprocess, sys
from jobs import processes
assert processes.become_subreaper()
known = subprocess.Popen(["sleep", "600"])
worker = subprocess.Popen(["sh", "-c", sys.argv[1]], start_new_session=True)
while not os.path.exists("up"):
    os.sched_yield()
worker.kill()
worker.wait()
killed = processes.kill_orphans()
again = processes.kill_orphans()
children = open("/proc/thread-self/children").read().split()
print(json.dumps({"killed": killed, "again": again, "only_known": children == [str(known.pid)]}))
known.kill()
known.wait()
print("has children:", processes.has_children())
"""


def started(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, **options)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    child = started("sleep", "600")
    yield child
    child.kill()
    child.wait()


# What was left


def marked(mark: str, *arguments: str) -> subprocess.Popen[bytes]:
    return started(*arguments, env={**os.environ, processes.SUPERVISOR_VARIABLE: mark}, start_new_session=True)


def test_it_kills_all_that_a_supervisor_left(tmp_path: Path):
    command = "setsid sleep 600 & (setsid sh -c 'trap \"\" TERM; sleep 600 & wait' &) ; kill -STOP $$"
    left, other = marked("dead-1", "sh", "-c", command), marked("dead-11", "sleep", "600")
    wait_until(lambda: _state(left.pid) == "T")
    assert processes.kill_marked("dead-1", timeout_seconds=5) >= 3
    assert left.wait() == -signal.SIGKILL
    assert processes.kill_marked("dead-1", timeout_seconds=5) == 0
    assert other.poll() is None
    assert processes.kill_marked("dead-11", timeout_seconds=5) == 1
    other.wait()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


# Stands in for a nursery: the supervisor that forked it had put the mark into its environment after its own start.
FORKED = """
import os, signal
from jobs import processes
os.environ[processes.SUPERVISOR_VARIABLE] = "forked-1"
if os.fork() == 0:
    processes.wear_mark()
    open("up", "w").close()
    signal.pause()
signal.pause()
"""


def test_it_kills_what_a_supervisor_forked(tmp_path: Path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    supervisor = started(sys.executable, "-c", FORKED, cwd=tmp_path, env=environment)
    wait_until((tmp_path / "up").exists)
    assert processes.kill_marked("forked", timeout_seconds=5) == 0
    assert processes.kill_marked("forked-1", timeout_seconds=5) == 1
    assert supervisor.poll() is None
    supervisor.kill()
    supervisor.wait()


def test_it_does_not_kill_itself():
    code = "from jobs import processes; print(processes.kill_marked('own', timeout_seconds=5))"
    environment = {**os.environ, processes.SUPERVISOR_VARIABLE: "own"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert result.stdout == b"0\n"


def test_it_kills_processes_that_keep_forking():
    hopper = "import os\nwhile True:\n  if os.fork(): os._exit(0)"
    command = ["env", f"{processes.JOB_VARIABLE}=1", sys.executable, "-c", hopper]
    process = marked("hopping", *command)
    process.wait()
    wait_until(lambda: processes.kill_marked("hopping", timeout_seconds=10) == 0, timeout_seconds=60)


@pytest.mark.parametrize(
    "command",
    [
        "sleep 600 & touch up; wait",
        "setsid sleep 600 & (setsid sh -c 'sleep 600 & wait' &) ; (env -i setsid sleep 600 &) ; touch up; wait",
        "trap '' TERM; setsid sh -c 'kill -STOP $$; sleep 600' & touch up; wait",
    ],
)
def test_it_kills_the_orphans_of_a_dead_worker(tmp_path: Path, command: str):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", SUPERVISOR, command], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    report, children = result.stdout.decode().splitlines()
    assert json.loads(report)["killed"] >= 1
    assert json.loads(report) | {"killed": 0} == {"killed": 0, "again": 0, "only_known": True}
    assert children == "has children: False"


# Stands in for a worker whose supervisor is gone: job threads that wait for commands, and a child that a task started.
WORKER = """
import os, subprocess, sys, threading
from jobs import processes
processes.become_subreaper()
env = {"QUEUECTL_JOB_ID": "1", "QUEUECTL_FENCE": "1", "PATH": os.environ["PATH"]}
for _ in range(2):
    command = processes.start(["sh", "-c", sys.argv[1]], cwd=None, env=env, output_fd=2)
    threading.Thread(target=command.wait, daemon=True).start()
subprocess.Popen(["sleep", "600"])
while not os.path.exists("up"):
    os.sched_yield()
processes.kill_children()
left = [int(pid) for pid in open("/proc/thread-self/children").read().split()]
states = {open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] for pid in left}
print(states <= {"Z"}, flush=True)
os._exit(0)
"""


def test_it_kills_all_below_a_worker_that_lost_its_supervisor(tmp_path: Path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = "sleep 600 & (setsid sh -c 'trap \"\" TERM; sleep 600 & wait' &) ; touch up; sleep 600"
    arguments = [sys.executable, "-c", WORKER, command]
    started = time.monotonic()
    result = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert result.stdout == b"True\n"
    assert time.monotonic() - started < 3


# What belongs to a task


OWNER = """
import signal, subprocess
from jobs import processes
child = subprocess.Popen(["sleep", "600"])
print(processes.signal_tree(2**22 + 1, signal.SIGKILL))
processes.reap_orphans()
print(child.poll())
child.kill()
child.wait()
"""


def test_it_leaves_alone_what_this_process_started_for_itself():
    # Its own process: to this one, what other tests have left running would look like a job's.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", OWNER], env=environment, capture_output=True, check=True)
    assert result.stdout == b"0\nNone\n"


# Stands in for a task: a job thread that waits for processes with sessions of their own, beside a shell job.
WAITING = """
import os, signal, subprocess, threading
from jobs import processes
def wait(command):
    child = subprocess.Popen(["sh", "-c", command], start_new_session=True)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    processes.reap_orphans()
    print(child.wait(), processes.signal_tree(2**22 + 1, signal.SIGKILL))
for command in ("exit 3", "kill -TERM $$"):
    threading.Thread(target=wait, args=[command]).start()
"""


def test_it_leaves_to_a_job_thread_what_that_has_started():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", WAITING], env=environment, capture_output=True, check=True)
    assert sorted(result.stdout.splitlines()) == [b"-15 0", b"3 0"]


def test_it_finds_children_where_the_kernel_does_not_list_them(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
):
    assert child.pid in processes._children(os.getpid())
    monkeypatch.setattr(processes, "_kernel_lists_children", lambda: False)
    assert child.pid in processes._children(os.getpid())
    assert processes._children(2**22 + 1) == []
