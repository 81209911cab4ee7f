"""The process that starts all others of a round, by forks of what it has imported: a command is there in milliseconds.

It answers requests, a JSON line each, on the socket whose number it is given. It is the parent of what it starts, and
the subreaper of what that leaves behind, so it is the one who can kill without hitting a stranger. `Launcher`, in
`launching`, is the other side of it.
"""

import faulthandler
import gc
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

import django
from django.core.management import execute_from_command_line

from queuectl_site import cli

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "queuectl_site.settings")
REAP_MS = 20


def main() -> None:
    requests = socket.socket(fileno=int(sys.argv[1]))
    requests.set_inheritable(False)
    _load()
    _Server(requests).run()


def _load() -> None:
    """Import what the processes will need, and leave nothing open."""
    django.setup()
    from django.db import connections

    from jobs import processes, supervisor  # noqa: F401
    from jobs.management.commands.queuectl import Command
    from tests.chaos import tasks  # noqa: F401

    Command().create_parser("manage.py", "queuectl")  # imports the verbs
    processes.become_subreaper()
    connections.close_all()
    gc.freeze()


class _Server:
    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._stream = requests.makefile("rwb")
        self._ended: dict[int, int] = {}  # pid: exit code, of what nobody has asked for yet
        self._started: set[int] = set()

    def run(self) -> None:
        """Serve until the other side is gone; then end what is left."""
        self._answer({"ready": os.getpid()})
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        while True:
            if poll.poll(REAP_MS):
                line = self._stream.readline()
                if not line:
                    break
                self._answer(self._obey(json.loads(line)))
            self._reap()
        for pid in self._started:
            os.kill(pid, signal.SIGKILL)

    def _answer(self, answer: dict[str, Any]) -> None:
        self._stream.write(json.dumps(answer).encode() + b"\n")
        self._stream.flush()

    def _obey(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["what"]:
            case "start":
                return {"pid": self._start(request)}
            case "strike":
                return {"pids": self._strike(request)}
            case "thaw":
                for pid, parent in _descendants():
                    _signal(pid, parent, signal.SIGCONT)
                return {}
            case "left":
                self._reap()
                return {"pids": [pid for pid, _ in _descendants()]}
            case _:
                self._reap()
                ended, self._ended = self._ended, {}
                return {"ended": list(ended.items())}

    def _start(self, order: dict[str, Any]) -> int:
        pid = os.fork()
        if pid == 0:
            self._requests.close()
            _become(order)
        self._started.add(pid)
        return pid

    def _reap(self) -> None:
        """Take the exit codes of what we started, and let what was left to us go."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._started:
                self._started.remove(pid)
                self._ended[pid] = os.waitstatus_to_exitcode(status)

    def _strike(self, request: dict[str, Any]) -> list[int]:
        """Send a signal to one of those with that role below a process that we started, or to all; return whom it hit.

        Roles: self, nursery, worker, command, family.
        """
        if request["pid"] not in self._started:
            return []
        found = _with_role(request["role"], request["pid"])
        if request["role"] != "family":
            found = found[int(request["pick"] * len(found)) :][:1]
        return [pid for pid, parent in found if _signal(pid, parent, request["signal"])]


def _with_role(role: str, supervisor: int) -> list[tuple[int, int]]:
    """Return pid and parent of each process with that role."""
    itself = [(supervisor, os.getpid())]
    if role == "self":
        return itself
    nurseries = [child for child in _children(itself) if _session(child[0]) == supervisor]
    workers = _children(nurseries)
    match role:
        case "nursery":
            return nurseries
        case "worker":
            return workers
        case "command":
            return _children(workers)
        case _:
            return [*itself, *nurseries, *workers]


def _descendants() -> list[tuple[int, int]]:
    """Return pid and parent of all that lives below this process, what was left to it included."""
    generation = _children([(os.getpid(), os.getppid())])
    found = []
    while generation:
        found += generation
        generation = _children(generation)
    return found


def _children(of: list[tuple[int, int]]) -> list[tuple[int, int]]:
    from jobs import processes

    return [(child, pid) for pid, _ in of for child in processes._children(pid) if _exists(child)]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _signal(pid: int, parent: int, number: int) -> bool:
    """Signal the child of that parent, and never another process that has its pid meanwhile."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        state, found_parent = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:2]
        if int(found_parent) != parent or state in "ZX":
            return False
        signal.pidfd_send_signal(pidfd, number)
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return True


def _become(order: dict[str, Any]) -> NoReturn:
    """Be the command that was asked for."""
    os.setsid()
    gc.unfreeze()
    for number, name, flags in (
        (0, order.get("stdin", os.devnull), os.O_RDONLY),
        (1, order["stdout"], os.O_WRONLY | os.O_APPEND | os.O_CREAT),
        (2, order["stderr"], os.O_WRONLY | os.O_APPEND | os.O_CREAT),
    ):
        file = os.open(name, flags, 0o644)
        os.dup2(file, number)
        os.close(file)
    faulthandler.register(signal.SIGUSR1)  # what it waits for goes to its log
    code: Any = 1
    try:
        if order.get("die_at") is not None:
            from tests.chaos import statements

            statements.arm(order["die_at"], is_after=order["is_after"])
        code = _run(order)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


def _run(order: dict[str, Any]) -> Any:
    if "words" not in order:
        from tests.chaos import enqueuers

        return enqueuers.run(order["jobs"], commits=order["commits"])
    sys.argv = ["manage.py", "queuectl", *order["words"]]
    return cli.guarded(lambda: execute_from_command_line(sys.argv))


if __name__ == "__main__":
    main()
