"""`config history`: who changed what, from the command line and elsewhere; and who paused a queue."""

import getpass
import json
import os
import pwd
import socket

import pytest

from jobs import queue
from jobs.cli import history
from jobs.cli.author import author
from jobs.models import ConfigChange
from tests.cli.command import ok, queuectl
from tests.clock import NOW

pytestmark = pytest.mark.django_db

ME = f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"


def test_it_signs_with_the_user_and_the_machine():
    ok("config", "set", "timeout", "10m", "--queue", "mail")
    ok("config", "unset", "timeout", "--queue", "mail")
    ok("queue", "pause", "mail")
    ok("queue", "resume", "mail")
    assert set(ConfigChange.objects.values_list("changed_by", flat=True)) == {ME}
    assert ConfigChange.objects.count() == 4


def test_it_does_not_believe_the_environment(monkeypatch):
    for name in ("USER", "LOGNAME", "USERNAME", "HOSTNAME"):
        monkeypatch.setenv(name, "somebody")
    assert getpass.getuser() == "somebody"
    assert author() == ME


def test_it_signs_with_the_number_of_a_user_without_a_name(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert author() == f"4000000@{socket.gethostname()}"


def test_it_tells_the_newest_first():
    queue.set_knob("timeout", 600, queue="mail", by="anna (admin)", now=NOW)
    queue.set_knob("jitter", 0.1, by="deploy@web1", now=NOW)
    assert ok("config", "history").splitlines() == [
        "WHEN                     QUEUE  CHANGE                  BY",
        "2026-01-02 03:04:05 UTC  (all)  jitter: not set → 0.1   deploy@web1",
        "2026-01-02 03:04:05 UTC  mail   timeout: not set → 10m  anna (admin)",
    ]
    assert "jitter" not in ok("config", "history", "--queue", "mail")
    assert "timeout" not in ok("config", "history", "--limit", "1")


def test_it_gives_programs_what_was_and_what_is():
    queue.set_knob("timeout", 600, by="deploy@web1", now=NOW)
    queue.pause("mail", now=NOW, reason="x", by="anna (admin)")
    pause, change = json.loads(ok("config", "history", "--json"))
    assert tuple(pause) == tuple(change) == history.CHANGE_KEYS
    assert change == {
        "at": "2026-01-02T03:04:05Z",
        "queue": None,
        "key": "timeout",
        "before": None,
        "after": 600.0,
        "by": "deploy@web1",
    }
    assert (pause["key"], pause["before"], pause["after"]) == ("paused", None, {"until": None, "reason": "x"})


def test_it_says_that_nothing_was_changed():
    assert queuectl("config", "history").err == "Nothing was changed yet.\n"
    assert json.loads(ok("config", "history", "--json")) == []


def test_it_lets_no_author_reach_the_terminal():
    queue.pause("mail", now=NOW, reason="\x1b[31mred", by="anna")
    ConfigChange.objects.update(changed_by="\x1b]0;owned\x07")
    assert "\x1b" not in ok("config", "history") + ok("queue", "list") + ok("status")
