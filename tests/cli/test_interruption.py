"""Ctrl-C ends a command as an interrupted one, whatever it came out as."""

import pytest
from django.db import OperationalError

from jobs import cli, stats
from jobs.cli import interruption
from tests.cli.command import queuectl

pytestmark = pytest.mark.django_db


def _interrupted() -> None:
    try:
        raise KeyboardInterrupt
    finally:
        raise OperationalError("the connection cannot be used")


def test_it_is_found_behind_an_error_and_an_explanation_of_it():
    with pytest.raises(OperationalError) as caught:
        _interrupted()
    explained = ValueError("refused")
    explained.__cause__ = caught.value
    assert interruption.led_to(caught.value)
    assert interruption.led_to(explained)
    assert not interruption.led_to(OperationalError("gone"))
    assert not interruption.led_to(None)


def test_a_command_ends_as_interrupted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stats, "newest_jobs", lambda **_: _interrupted())
    assert queuectl("list").code == cli.EXIT_INTERRUPTED
