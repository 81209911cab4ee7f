"""Processes as the operating system sees them: what belongs to a job, and how to end all of it.

The supervisor kills what a dead worker left; the shell runner starts commands and ends their trees. On Linux orphans
come back to the worker, which is a subreaper: a job's tree is always below its worker, whatever the processes do to
hide. Elsewhere psutil finds what stayed in the session of the command.
"""

import ctypes
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import psutil

from jobs import identities

JOB_VARIABLE = "QUEUECTL_JOB_ID"
FENCE_VARIABLE = "QUEUECTL_FENCE"
MARKERS = (JOB_VARIABLE, FENCE_VARIABLE)  # together they name one run of one job
SUPERVISOR_VARIABLE = "QUEUECTL_SUPERVISOR"

_JOB_ENTRY_PREFIX = os.fsencode(f"{JOB_VARIABLE}=")
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_PAUSE_SECONDS = 0.001  # a killed process takes about that long to go, a new program to show its environment
_EMPTY_LOOKS = 5  # two let a process that forks and exits all the time slip through on a busy machine
_ORPHANS_KILL_SECONDS = 5.0  # only a process stuck in the kernel resists longer; nothing ends that one


def become_subreaper() -> bool:
    """Make orphans below this process its children. Return False where the system has no such thing."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")
    return True


# The direct commands of running jobs, each with what the environment of all below it contains, unless it was cleared.
# The lock covers fork to entry, so that no job thread takes the newborn command of another for an orphan; and scan to
# signal, so that no orphan is reaped, and its pid given away, in between.
_commands: dict[int, frozenset[bytes]] = {}
_lock = threading.RLock()


def start(arguments: list[str], *, cwd: str | None, env: Mapping[str, str], output_fd: int) -> subprocess.Popen[bytes]:
    """Start the command of one job in a session of its own. The caller reaps it, and forgets it in the end."""
    with _lock:
        process = subprocess.Popen(  # noqa: S603 - what may run is decided by signatures
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output_fd,
            stderr=output_fd,
            close_fds=True,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
        _commands[process.pid] = frozenset(os.fsencode(f"{name}={env[name]}") for name in MARKERS)
    return process


def forget(command: int) -> None:
    with _lock:
        _commands.pop(command, None)


def has_children() -> bool:
    """Return whether this process may have a child. One system call, for the common case of a job that left nothing."""
    if sys.platform != "linux":
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def reap_orphans() -> None:
    """Reap the dead orphans of all jobs, which would hold their pids for as long as a job runs."""
    with _lock:
        _living_orphans()


def signal_tree(command: int, *signals: signal.Signals) -> int:
    """Send the signals to every process of the command's job; with none, only look. Return how many were found.

    Zero means that none is left. A process that we may not signal, such as one that sudo started, is not counted:
    waiting for it would not end it.
    """
    with _lock:
        return sum(_send(pid, signals) for pid in _members(command))


def kill_tree(command: int) -> int:
    """Kill every process of the command's job, and its process group. Return how many were found: repeat until zero."""
    with _lock:
        return sum(_kill_with_group(pid) for pid in _members(command))


def _members(command: int) -> list[int]:
    # Twice, because a child that exits while the kernel lists the children may hide another.
    return _with_descendants(_roots(command) or _roots(command))


def _roots(command: int) -> list[int]:
    """Return the command, if it lives, and the orphans that are for its job to end.

    An orphan that does not say whose it is goes with whichever job notices it.
    """
    if sys.platform != "linux":
        return [pid for pid in psutil.pids() if _session(pid) == command and not identities.is_zombie(pid)]
    orphans = [pid for pid in _living_orphans() if _owner(pid) in (command, None)]
    return orphans if _is_gone(command, os.WNOWAIT) else [command, *orphans]


def _living_orphans() -> list[int]:
    """Return the orphans that came to this process; reap the dead, and then look again: they may have forked before.

    What a shell job starts is never in the session of the worker. What is there, a task started for itself.
    """
    own_session = os.getsid(0)
    while True:
        orphans = [pid for pid in _adopted() if pid not in _commands and _session(pid) != own_session]
        living = [pid for pid in orphans if not _is_gone(pid)]
        if len(living) == len(orphans):
            return living


def _adopted() -> list[int]:
    """Return the children that the main thread has: the kernel gives it the orphans.

    Any other thread has those that it started, and a task waits for its own: reaped or killed by the shell job beside
    it, its failure would look like a success.
    """
    if not _kernel_lists_children():
        return _children_by_psutil(os.getpid())
    return _children_of_thread(os.getpid(), os.getpid())


def _owner(orphan: int) -> int | None:
    """Return the command of the running job that an orphan came from. None: a job that is over, or it does not say."""
    session = _session(orphan)
    if session in _commands:
        return session
    environ = _environ(orphan)
    return next((command for command, marker in _commands.items() if marker <= environ), None)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _is_gone(child: int, keep: int = 0) -> bool:
    """Return whether a child is dead, and reap it; `keep` of WNOWAIT leaves it to the thread that waits for it."""
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | keep) is not None
    except ChildProcessError:
        return True


def _with_descendants(roots: Iterable[int]) -> list[int]:
    found = list(roots)
    for pid in found:  # grows while we walk
        found.extend(_children(pid))
    return found


def _children(pid: int) -> list[int]:
    """Return the children of a process. One that exits meanwhile may hide another: repeat until there are none."""
    if not _kernel_lists_children():
        return _children_by_psutil(pid)
    found: list[int] = []
    for thread in _names(f"/proc/{pid}/task"):
        found.extend(_children_of_thread(pid, thread))
    return found


def _children_of_thread(pid: int, thread: int | str) -> list[int]:
    return list(map(int, _read(f"/proc/{pid}/task/{thread}/children").split()))


@functools.cache
def _kernel_lists_children() -> bool:
    return Path("/proc/thread-self/children").exists()  # needs CONFIG_PROC_CHILDREN, which common distributions set


def _children_by_psutil(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def _environ(pid: int) -> frozenset[bytes]:
    """Return the environment a process was started with; empty if it cannot be read."""
    environ = _read(f"/proc/{pid}/environ")
    if not environ:
        # Empty for an instant while a process replaces its program; it would be taken for one without a marker.
        time.sleep(_PAUSE_SECONDS)
        environ = _read(f"/proc/{pid}/environ")
    return frozenset(environ.split(b"\0"))


def _read(path: str) -> bytes:
    """Return the bytes of a file in /proc; none if its process is gone, or another user's."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - pathlib costs twice as much, thousands of times
            return file.readall()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - as above
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def _send(pid: int, signals: Iterable[signal.Signals]) -> bool:
    """Return whether we are allowed to. One that is gone counts as signalled: it may have forked just before."""
    try:
        os.kill(pid, 0)
        for number in signals:
            os.kill(pid, number)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def _kill_with_group(pid: int) -> bool:
    """Kill a process and its group, as one: a process that forks and exits all the time outruns single kills.

    A group is within a session, and the session of a job's process has no others in it.
    """
    try:
        group, session = os.getpgid(pid), os.getsid(pid)
        if session != os.getsid(0):
            os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    return _kill(pid)


def _kill(pid: int) -> bool:
    return _send(pid, [signal.SIGKILL])


def wear_mark() -> None:
    """Mark this process, and those forked from it, as the supervisor's variable marks what is started with it.

    By an open file of that name, for the environment that the kernel shows is that from which a program was started,
    and a process may take any name it likes. Does nothing where the system has no such files.
    """
    if hasattr(os, "memfd_create"):
        os.memfd_create(f"{SUPERVISOR_VARIABLE}={os.environ[SUPERVISOR_VARIABLE]}")  # open to the end of the process


def _wears(pid: int, entry: bytes) -> bool:
    files = _names(f"/proc/{pid}/fd")
    return any(_target(f"/proc/{pid}/fd/{number}") == f"/memfd:{os.fsdecode(entry)} (deleted)" for number in files)


def _target(path: str) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115
    except OSError:
        return None


def kill_marked(supervisor_id: str, *, timeout_seconds: float) -> int:
    """Kill every process on this machine that belongs to a supervisor, except ourselves. Return how many there were.

    Ends when none is left, or when the time is over: a process stuck in the kernel may resist.
    """
    entry = os.fsencode(f"{SUPERVISOR_VARIABLE}={supervisor_id}")
    return _kill_all(_other_pids, lambda pid: _kill_if_marked(pid, entry), timeout_seconds)


def _kill_if_marked(pid: int, entry: bytes) -> bool:
    """Kill a process that has this entry in its environment or wears it; with its group if a job started it."""
    entries = _entries(pid)
    if entry not in entries and not _wears(pid, entry):
        return False
    is_of_job = any(entry.startswith(_JOB_ENTRY_PREFIX) for entry in entries)
    return _kill_with_group(pid) if is_of_job else _kill(pid)


def kill_orphans() -> int:
    """Kill and reap what dead workers left to this process, their supervisor. Return how many there were.

    What a job starts is never in the session of the supervisor; what starts the workers is.
    """
    return _kill_all(lambda: _with_descendants(_living_orphans()), _kill_with_group, _ORPHANS_KILL_SECONDS)


def kill_children() -> int:
    """Kill all below this process, and let no other job thread start anything more. Return how many there were."""
    _lock.acquire()  # for ever: the caller is about to exit

    def find() -> list[int]:
        # The dead are left as they are: job threads wait for some, and all go when this process does.
        return _with_descendants(pid for pid in _children(os.getpid()) if not _is_gone(pid, os.WNOWAIT))

    return _kill_all(find, _kill_with_group, _ORPHANS_KILL_SECONDS)


def _kill_all(find: Callable[[], list[int]], kill: Callable[[int], bool], timeout_seconds: float) -> int:
    """Kill what is found until several looks in a row find nothing: one may miss a process that just then forks."""
    killed: set[int] = set()
    deadline = time.monotonic() + timeout_seconds
    empty_looks = 0
    while empty_looks < _EMPTY_LOOKS:
        found = {pid for pid in find() if kill(pid)}
        empty_looks = 0 if found else empty_looks + 1
        killed |= found
        if time.monotonic() >= deadline:
            break
        time.sleep(_PAUSE_SECONDS)
    return len(killed)


def _other_pids() -> list[int]:
    """Return the newest first: what forks and exits all the time is gone before the end of a long list is reached."""
    return sorted((pid for pid in psutil.pids() if pid != os.getpid()), reverse=True)


def _entries(pid: int) -> list[bytes]:
    return _entries_elsewhere(pid) if sys.platform != "linux" else _read(f"/proc/{pid}/environ").split(b"\0")


def _entries_elsewhere(pid: int) -> list[bytes]:
    try:
        return [os.fsencode(f"{name}={value}") for name, value in psutil.Process(pid).environ().items()]
    except psutil.Error:
        return []
