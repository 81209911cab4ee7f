"""A worker, as far as it can be asked without a process of its own."""

import socket

import pytest

from jobs import worker
from jobs.channel import Channel
from jobs.outcome import Outcome
from jobs.runners.registry import RUNNERS
from jobs.states import Ending
from tests.factories import make_claim


def test_it_tells_in_one_harmless_line_that_a_runner_failed(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> Outcome:
        raise RuntimeError("\x1b[2J\nno luck")

    monkeypatch.setitem(RUNNERS, "shell", fail)
    monkeypatch.setattr(worker, "_let_go_of_connections", lambda: None)  # those of this process are the other tests'
    ours, theirs = socket.socketpair()
    with ours, theirs:
        working = worker.Worker(Channel(ours), worker.Options(thread_count=1, grace_seconds=1.0))
        outcome = working._attempt(make_claim(), worker.Slot())

    assert outcome.ending is Ending.FAILED
    assert outcome.error == "the runner failed: RuntimeError: \\x1b[2J\\nno luck"
