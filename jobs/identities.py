"""Which process is which, across machines and boots, and whether it lives.

Supervisors write down their own, and who finds a silent one asks whether it is dead.
"""

import functools
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

_START_TICKS_FIELD = 22  # proc_pid_stat(5), counted from 1
_STATE_FIELD = 3
_DEAD_STATES = frozenset({"Z", "X"})


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, told apart from a later one with its pid. `started` is the kernel's own count: no clock moves it."""

    machine: str
    pid: int
    started: str


def own() -> Identity:
    started = _started(os.getpid())
    if started is None:
        raise RuntimeError("this process cannot see itself; is /proc mounted?")
    return Identity(machine=_machine(), pid=os.getpid(), started=started)


def is_alive(identity: Identity) -> bool | None:
    """Return whether that process runs; a zombie does not. None: on another machine, or hidden, so we cannot tell."""
    if identity.machine != _machine():
        return None
    started = _started(identity.pid)
    if started is None and _is_hidden(identity.pid):
        return None
    return started == identity.started


def is_from_before_this_boot(machine: str) -> bool:
    """Return whether a process of `machine`, known to be this one, ran in an earlier boot. Host names tell of none."""
    return " " in machine and " " in _machine() and machine.split(maxsplit=1)[0] != _machine().split()[0]


@functools.cache
def _machine() -> str:
    """Return what makes a pid unique: this boot, and this container's own numbering of processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str | None:
    """Return when the process started, in the system's own unit. None: there is none, or only its zombie."""
    if sys.platform != "linux":
        return _started_elsewhere(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    fields = stat.rpartition(")")[2].split()  # a program's name may contain anything, also ")"
    first = _STATE_FIELD
    return None if fields[0] in _DEAD_STATES else fields[_START_TICKS_FIELD - first]


def _started_elsewhere(pid: int) -> str | None:
    try:
        return None if is_zombie(pid) else repr(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended, or is gone altogether. For systems without /proc."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _is_hidden(pid: int) -> bool:
    """Return whether there is such a process of another user, which /proc mounted with hidepid does not show."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return False
