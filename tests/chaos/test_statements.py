"""Death at the n-th statement."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.chaos.statements import Fuse


def told(fuse: Fuse, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Make three statements; return them and the signals in their order."""
    happened: list[object] = []
    monkeypatch.setattr(os, "kill", lambda _, number: happened.append(number))

    def statement(number: int) -> Callable[[], None]:
        return lambda: happened.append(number)

    for number in (1, 2, 3):
        fuse.around(statement(number))
    return happened


def test_it_dies_before_the_statement_it_is_told(monkeypatch: pytest.MonkeyPatch):
    assert told(Fuse(2, is_after=False), monkeypatch) == [1, signal.SIGKILL, 2, 3]


def test_it_dies_after_the_statement_it_is_told(monkeypatch: pytest.MonkeyPatch):
    assert told(Fuse(2, is_after=True), monkeypatch) == [1, 2, signal.SIGKILL, 3]


def test_it_counts_no_statement_of_a_process_that_was_forked(monkeypatch: pytest.MonkeyPatch):
    fuse = Fuse(2, is_after=False)
    monkeypatch.setattr(os, "getpid", lambda: 0)
    assert told(fuse, monkeypatch) == [1, 2, 3]
