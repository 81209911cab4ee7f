"""Identities of processes: who lives, whatever became of the pid."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import identities
from tests.waiting import wait_until


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "600"])
    yield child
    child.kill()
    child.wait()


def identity_of(pid: int) -> identities.Identity:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return identities.Identity(machine=identities.own().machine, pid=pid, started=ticks)


def test_it_knows_that_it_lives_itself():
    assert identities.is_alive(identities.own()) is True


def test_it_has_an_identity_that_no_clock_moves():
    assert identities.own() == identities.own() == identity_of(os.getpid())


def test_it_sees_the_life_and_death_of_another(child: subprocess.Popen[bytes]):
    identity = identity_of(child.pid)
    assert identities.is_alive(identity) is True
    child.kill()
    child.wait()
    assert identities.is_alive(identity) is False


def test_it_takes_a_zombie_for_dead(child: subprocess.Popen[bytes]):
    identity = identity_of(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identities.is_alive(identity) is False


def test_it_is_not_misled_by_a_pid_that_was_given_away(child: subprocess.Popen[bytes]):
    earlier = replace(identity_of(child.pid), started="1")
    assert identities.is_alive(earlier) is False


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 10**30])
def test_it_takes_an_impossible_pid_for_dead(pid: int):
    assert identities.is_alive(replace(identities.own(), pid=pid)) is False


@pytest.mark.parametrize(
    ("other", "own", "is_earlier"),
    [
        ("boot1 pid:[1]", "boot2 pid:[1]", True),
        ("boot1 pid:[1]", "boot1 pid:[2]", False),
        ("host1", "host2", False),  # where the system names no boot
        ("host1", "boot1 pid:[1]", False),
        ("boot1 pid:[1]", "host1", False),
    ],
)
def test_it_tells_an_earlier_boot_by_the_boots_alone(
    other: str, own: str, is_earlier: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(identities, "_machine", lambda: own)
    assert identities.is_from_before_this_boot(other) == is_earlier


def test_it_cannot_tell_about_another_machine():
    assert identities.is_alive(replace(identities.own(), machine="elsewhere")) is None


def test_it_cannot_tell_about_a_process_that_is_hidden(monkeypatch: pytest.MonkeyPatch):
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert identities.is_alive(replace(identities.own(), pid=2**22 + 1)) is None


def test_it_reads_the_start_of_a_program_with_an_odd_name(tmp_path: Path):
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(odd), "600"])
    wait_until(lambda: "(a) Z 1 (b)" in Path(f"/proc/{process.pid}/stat").read_text())
    assert identities.is_alive(identity_of(process.pid)) is True
    process.kill()
    process.wait()
