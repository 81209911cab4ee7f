"""Runs `queuectl` many times at one instant, in forks of this process, which has imported everything already.

Interpreters that start together reach their first statement tenths of a second apart; forks do it within milliseconds.

Reads a JSON list of runs from stdin, {"words": […], "kill_after": seconds or null}, and prints a list of what came of
them, {"code", "out", "err"}. Started by `Site.run_together`.
"""

import json
import os
import signal
import sys
import tempfile
import time
from typing import IO, Any

import django
from django.core.management import execute_from_command_line

from queuectl_site import cli

# The settings are those of the site, which the environment names.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "queuectl_site.settings")


def main() -> None:
    runs = json.load(sys.stdin)
    django.setup()
    from jobs.management.commands.queuectl import Command

    Command().create_parser("manage.py", "queuectl")  # imports the verbs
    gate = os.pipe()
    started = [_start(run["words"], gate) for run in runs]
    os.close(gate[0])
    opened = time.monotonic()
    os.close(gate[1])
    _kill([(run["kill_after"], pid) for run, (pid, _) in zip(runs, started, strict=True)], opened)
    json.dump([_ended(pid, outputs) for pid, outputs in started], sys.stdout)


def _start(words: list[str], gate: tuple[int, int]) -> tuple[int, list[Any]]:
    """Fork a process that waits for the gate to open, then runs the command."""
    outputs = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 - read when the process has ended
    if pid := os.fork():
        return pid, outputs
    for number, output in enumerate(outputs, start=1):
        os.dup2(output.fileno(), number)
    os.close(gate[1])
    os.read(gate[0], 1)
    sys.argv = ["manage.py", "queuectl", *words]
    code: Any = 1
    try:
        code = cli.guarded(lambda: execute_from_command_line(sys.argv))
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


def _kill(victims: list[tuple[float | None, int]], opened: float) -> None:
    for seconds, pid in sorted((seconds, pid) for seconds, pid in victims if seconds is not None):
        time.sleep(max(0.0, opened + seconds - time.monotonic()))
        os.kill(pid, signal.SIGKILL)


def _ended(pid: int, outputs: list[IO[bytes]]) -> dict[str, Any]:
    _, status = os.waitpid(pid, 0)
    texts = []
    for output in outputs:
        output.seek(0)
        texts.append(output.read().decode())
    return {"code": os.waitstatus_to_exitcode(status), "out": texts[0], "err": texts[1]}


if __name__ == "__main__":
    main()
