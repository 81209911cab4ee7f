"""Running one claim within a test: a task in this very thread, a command in a process of its own."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from jobs import conf
from jobs.outcome import Claim, Outcome, Output
from jobs.runners import Stop, recording, unknown
from jobs.runners.registry import RUNNERS
from jobs.states import Ending, Kind

SHELL_PROCESS = Path(__file__).with_name("_shell_process.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a claim ended, and the exception with which it did, if there is one to be had."""

    outcome: Outcome
    exception: BaseException | None


def run(claim: Claim) -> Ran:
    """Run a claim as a worker would. What it raises is part of what is returned."""
    if claim.kind == Kind.SHELL:
        return Ran(outcome=_run_command(claim), exception=None)
    runner = RUNNERS.get(claim.kind, unknown.run)
    stop = _WatchingStop()
    try:
        with _recorded():
            outcome = runner(claim, stop=stop, watch=_ignore, grace_seconds=conf.seconds("KILL_GRACE_SECONDS"))
    finally:
        stop.close()
    return Ran(outcome=outcome, exception=_exception(outcome, stop.exception))


def _exception(outcome: Outcome, seen: BaseException | None) -> BaseException | None:
    """Return the exception that an outcome tells of; a Ctrl-C in any case, at whatever moment it came."""
    if seen is not None and outcome.exception_class == _path_of(type(seen)):
        return seen
    return KeyboardInterrupt() if outcome.exception_class == _path_of(KeyboardInterrupt) else None


def _path_of(exception_class: type[BaseException]) -> str:
    return f"{exception_class.__module__}.{exception_class.__qualname__}"


class _WatchingStop(Stop):
    """Sees what a task raises: its runner lets go of the Stop while handling it. The outcome has it as text only."""

    exception: BaseException | None = None

    def tell(self, listener: Callable[[Ending], None] | None) -> None:
        super().tell(listener)
        if listener is None:
            self.exception = sys.exception()


def _ignore(_pid: int, _output: Output) -> None:
    """Show nothing while it runs: this is called from another thread, which does not see the test's transaction."""


@contextmanager
def _recorded() -> Iterator[None]:
    """Record what is printed and logged, as a worker does for all its life; then leave both as they were."""
    stdout, handlers = sys.stdout, list(logging.root.handlers)
    recording.install()
    try:
        yield
    finally:
        sys.stdout = stdout
        for handler in set(logging.root.handlers).difference(handlers):
            logging.root.removeHandler(handler)


def _run_command(claim: Claim) -> Outcome:
    """Run a command in a process that has no other children: its runner ends all that it does not know."""
    order = {
        "claim": claim.to_wire(),
        "keys": [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS],
        "grace_seconds": conf.seconds("KILL_GRACE_SECONDS"),
    }
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", str(SHELL_PROCESS)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,  # a Ctrl-C is for the test, which passes it on once
    )
    with process:
        try:
            answer, _ = process.communicate(json.dumps(order, default=bytes.decode).encode())
        except BaseException:  # a Ctrl-C, or the end of a test's time
            process.send_signal(signal.SIGINT)  # which ends the command, too
            process.wait()
            raise
    return Outcome.from_wire(json.loads(answer))
