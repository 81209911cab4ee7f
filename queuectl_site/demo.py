"""The demonstration behind `make run`: a site, two workers and a few jobs that show what a queue is for.

It does everything through the public commands, so whatever happens here a user can do by hand. Only the password of the
demonstration's own user is set from Python: it is random, printed once, and replaced by the next run.
"""

import argparse
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import FrameType
from typing import Any

from queuectl_site import home

USER = "demo"
FIRST_PORT = 8000
PORT_COUNT = 100
START_SECONDS = 30.0  # a slow machine's first start of Django, several times over
STOP_SECONDS = 60.0  # longer than the workers' own grace time, after which they end their jobs themselves
TURN_SECONDS = 0.2

WELCOME = """
────────────────────────────────────────────────────────────────────────
  queuectl is running: a site, two workers and {count} sample jobs.

  Look         {url}
  Log in       user {user}, password {password}

  Try, in another terminal:
      {queuectl} list
      {queuectl} enqueue "echo hello; sleep 2"
      {queuectl} dlq list
      {queuectl} top

  Stop         Ctrl-C
────────────────────────────────────────────────────────────────────────
"""


class Stopped(Exception):
    """The demonstration is over: a person, or --exit-after, ended it."""


class Broken(Exception):
    """A part of the demonstration failed; the message says which."""


@dataclass(slots=True)
class Requests:
    """How often a person has asked for the end. Counted by the signal handler, obeyed between two steps."""

    count: int = 0

    def add(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


@dataclass(frozen=True, slots=True)
class Child:
    """A process that must live as long as the demonstration."""

    name: str
    process: subprocess.Popen[bytes]


stop_requests = Requests()


def main() -> int:
    """Run the demonstration until it is stopped; return its exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "queuectl_site.settings")
    options = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop_requests.add)
    try:
        _show(exit_after_seconds=options.exit_after)
    except Stopped:
        print("Stopped. The queue is kept; the next run continues with it.")
        return 0
    except Broken as error:
        print(f"queuectl: {error}", file=sys.stderr)
        return 1
    return 0


def sample_jobs(*, stamp: str) -> list[dict[str, Any]]:
    """Return the jobs to enqueue, with ids that end in `stamp`."""
    jobs: list[dict[str, Any]] = [
        {"id": "hello", "command": 'echo "Hello from $QUEUECTL_JOB_ID, attempt $QUEUECTL_ATTEMPT"'},
        {"id": "disk-usage", "command": "df -h /"},
        {"id": "checksums", "command": "cd /etc && sha256sum passwd hosts", "priority": 50},
        {"id": "progress", "command": "for n in $(seq 1 20); do echo step $n of 20; sleep 1; done"},
        {
            "id": "third-time-lucky",
            "command": '[ "$QUEUECTL_ATTEMPT" -ge 3 ] || { echo "not yet" >&2; exit 1; }; echo "now it works"',
        },
        {"id": "always-fails", "command": 'echo "no such customer" >&2; exit 1', "max_retries": 2},
        {"id": "too-slow", "command": "echo waiting; sleep 600", "timeout": "3s", "max_retries": 1},
        {"id": "clear-sessions", "task": "jobs.tasks.commands.manage", "args": ["clearsessions"]},
        {"id": "later", "command": "date", "delay": "1m"},
    ]
    return [job | {"id": f"{job['id']}-{stamp}"} for job in jobs]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m queuectl_site.demo", description="Show what queuectl does.")
    parser.add_argument("--exit-after", type=float, metavar="SECONDS", help="stop by itself")
    return parser


def _show(*, exit_after_seconds: float | None) -> None:
    print("Preparing the database …", flush=True)
    _run("queuectl", "initdb")
    password = _reset_user()
    jobs = sample_jobs(stamp=datetime.now().astimezone().strftime("%H%M%S"))
    port = _free_port()
    with _running("workers", "queuectl", "worker", "start", "--count", "2") as workers, _site(port) as site:
        _await_site(port, site)
        _run("queuectl", "enqueue", "--file", "-", stdin="\n".join(map(json.dumps, jobs)))
        url = f"http://127.0.0.1:{port}/"
        print(WELCOME.format(count=len(jobs), url=url, user=USER, password=password, queuectl=_typed()), flush=True)
        _watch([workers, site], exit_after_seconds=exit_after_seconds)


def _command(*words: str) -> list[str]:
    root = home.checkout()
    return [sys.executable, *([str(root / "manage.py")] if root else ["-m", "django"]), *words]


def _typed() -> str:
    """Return `queuectl` as a person has to type it here."""
    return ".venv/bin/python manage.py queuectl" if home.checkout() else "queuectl"


def _run(*words: str, stdin: str | None = None) -> None:
    code = subprocess.run(_command(*words), input=stdin, text=True, check=False).returncode  # noqa: S603 - our own
    if stop_requests.count:
        raise Stopped
    if code != 0:
        raise Broken(f"`{' '.join(words)}` failed with exit code {code}")


def _reset_user() -> str:
    """Give the demonstration's superuser a new password and return it; the database keeps only its hash."""
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.db import connection

    password = secrets.token_urlsafe(9)
    user, _ = User.objects.get_or_create(username=USER)
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    user.save()
    connection.close()
    return password


def _free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + PORT_COUNT):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as runserver binds: a closing port is free
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Broken(f"no free port from {FIRST_PORT} to {FIRST_PORT + PORT_COUNT - 1}")


def _site(port: int) -> AbstractContextManager[Child]:
    return _running("site", "runserver", "--noreload", f"127.0.0.1:{port}", stdout=subprocess.DEVNULL, DEBUG="true")


@contextmanager
def _running(name: str, *words: str, stdout: int | None = None, **environment: str) -> Iterator[Child]:
    process = subprocess.Popen(  # noqa: S603 - our own commands
        _command(*words),
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        start_new_session=True,  # Ctrl-C reaches this process alone, which then asks each child once, with TERM
    )
    try:
        yield Child(name, process)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    heeded = stop_requests.count
    process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(TURN_SECONDS)
        if stop_requests.count > heeded:  # Ctrl-C again: a second TERM shortens the workers' grace time
            heeded = stop_requests.count
            process.terminate()
    if process.poll() is None:
        process.kill()
        process.wait()


def _await_site(port: int, site: Child) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        _pause([site])
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise Broken(f"the site did not answer within {START_SECONDS:.0f} s")


def _watch(children: list[Child], *, exit_after_seconds: float | None) -> None:
    deadline = None if exit_after_seconds is None else time.monotonic() + exit_after_seconds
    while deadline is None or time.monotonic() < deadline:
        _pause(children)
    raise Stopped


def _pause(children: list[Child]) -> None:
    """Let a moment pass. Raise Stopped if a person asked for the end, Broken if a child ended by itself."""
    time.sleep(TURN_SECONDS)
    if stop_requests.count:
        raise Stopped
    for child in children:
        if (code := child.process.poll()) is not None:
            raise Broken(f"the process of the {child.name} ended with exit code {code}")


if __name__ == "__main__":
    sys.exit(main())
