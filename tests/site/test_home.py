"""The site's home directory: private, made by `migrate`, the same for processes that start together."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from queuectl_site import home

ROOT = Path(__file__).resolve().parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def start_together(code: str, *arguments: Path, count: int = 8) -> list[str]:
    """Run `code` in several processes at one instant and return what each printed."""
    waiting = f"import sys; sys.stdin.readline()\n{code}"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", waiting, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    printed = [process.communicate(timeout=30)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    return printed


def test_it_obeys_queuectl_home(monkeypatch, tmp_path):
    monkeypatch.setenv("QUEUECTL_HOME", str(tmp_path / "here"))
    assert home.location() == tmp_path / "here"


def test_it_lives_in_var_of_a_checkout(monkeypatch):
    monkeypatch.delenv("QUEUECTL_HOME")
    assert home.location() == ROOT / "var"


def test_it_lives_in_the_state_directory_when_installed(monkeypatch, tmp_path):
    monkeypatch.delenv("QUEUECTL_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(home, "PACKAGE_PARENT", tmp_path)
    assert home.location() == tmp_path / "queuectl"


def test_it_is_private(monkeypatch, tmp_path):
    monkeypatch.setenv("QUEUECTL_HOME", str(tmp_path / "a" / "b"))
    assert mode(home.ensure()) == 0o700


def test_it_names_the_place_and_the_remedy_when_it_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("QUEUECTL_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(ImproperlyConfigured, match=r"file/home: Not a directory; set QUEUECTL_HOME to a directory"):
        home.ensure()


def test_the_key_is_generated_once_and_private(tmp_path):
    home.ensure_secret_key(tmp_path)
    key = home.secret_key(tmp_path)
    assert len(key) >= home.KEY_BYTES
    home.ensure_secret_key(tmp_path)
    assert home.secret_key(tmp_path) == key
    assert mode(tmp_path / home.KEY_NAME) == 0o600


def test_processes_that_start_together_share_one_key(tmp_path):
    code = """
import pathlib
from queuectl_site import home
directory = pathlib.Path(sys.argv[1])
home.ensure_secret_key(directory)
print(home.secret_key(directory))
"""
    assert len(set(start_together(code, tmp_path))) == 1
    assert [file.name for file in tmp_path.iterdir()] == [home.KEY_NAME]


def test_a_key_that_is_missing_is_refused_and_not_made(tmp_path):
    with pytest.raises(ImproperlyConfigured, match=r"there is no secret key at .*; set QUEUECTL_HOME or SECRET_KEY"):
        home.secret_key(tmp_path)
    assert not list(tmp_path.iterdir())


def put_key(directory: Path, content: bytes, *, mode: int = 0o600) -> Path:
    path = directory / home.KEY_NAME
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_an_empty_key_file_is_refused(tmp_path):
    put_key(tmp_path, b"\n")
    with pytest.raises(ImproperlyConfigured, match="is empty; delete it"):
        home.secret_key(tmp_path)


def test_a_key_file_that_is_not_text_is_refused(tmp_path):
    put_key(tmp_path, b"\xff\xfe")
    with pytest.raises(ImproperlyConfigured, match="it is not a key; set QUEUECTL_HOME"):
        home.secret_key(tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o660, 0o777])
def test_a_key_that_others_may_read_or_write_is_refused(tmp_path, mode):
    path = put_key(tmp_path, b"known\n", mode=mode)
    with pytest.raises(
        ImproperlyConfigured, match=f"others may read or write the key file {path}; chmod 600 {path}, or"
    ):
        home.secret_key(tmp_path)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640])
def test_a_key_that_its_group_may_read_is_accepted(tmp_path, mode):
    put_key(tmp_path, b"known\n", mode=mode)
    assert home.secret_key(tmp_path) == "known"


def test_a_key_that_belongs_to_another_user_is_refused_unless_that_is_root(monkeypatch, tmp_path):
    path = put_key(tmp_path, b"known\n")
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    monkeypatch.setattr(home, "ROOT", owner)
    assert home.secret_key(tmp_path) == "known"

    monkeypatch.setattr(home, "ROOT", owner + 2)
    with pytest.raises(
        ImproperlyConfigured, match=f"belongs to another user, .* chown {owner + 1} {path}, or set SECRET"
    ):
        home.secret_key(tmp_path)


def test_the_database_and_its_companions_are_private(tmp_path):
    path = tmp_path / "queue.sqlite3"
    home.ensure_database(path)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE job (id)")
    connection.commit()
    modes = {file.name: mode(file) for file in tmp_path.iterdir()}
    connection.close()
    assert modes == {"queue.sqlite3": 0o600, "queue.sqlite3-wal": 0o600, "queue.sqlite3-shm": 0o600}


def test_the_database_appears_in_the_mode_that_is_hard_to_change_later(tmp_path):
    path = tmp_path / "queue.sqlite3"
    home.ensure_database(path)
    assert path.read_bytes()[18:20] == b"\x02\x02"  # written and read with a log (sqlite.org/fileformat2.html)


def test_processes_that_open_a_new_database_together_do_not_lock_each_other_out(tmp_path):
    code = """
import pathlib, sqlite3
from queuectl_site import home
path = pathlib.Path(sys.argv[1])
home.ensure_database(path)
connection = sqlite3.connect(path, timeout=5)  # the first and the last of them lock the others out for a moment
print(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
"""
    assert start_together(code, tmp_path / "queue.sqlite3") == ["wal\n"] * 8


def test_a_database_that_exists_is_left_as_it_is(tmp_path):
    path = tmp_path / "queue.sqlite3"
    path.write_bytes(b"anything")
    home.ensure_database(path)
    assert path.read_bytes() == b"anything"


def test_a_database_that_is_missing_is_refused_and_not_made(tmp_path):
    with pytest.raises(sqlite3.OperationalError, match=r"there is no database at .*/queue\.sqlite3; make one with"):
        sqlite3.connect(str(tmp_path / "queue.sqlite3"), factory=home.ExistingDatabase)
    assert not list(tmp_path.iterdir())


def test_it_names_the_database_that_cannot_be_made(tmp_path):
    with pytest.raises(ImproperlyConfigured, match=r"nowhere/queue\.sqlite3: No such file or directory; set"):
        home.ensure_database(tmp_path / "nowhere" / "queue.sqlite3")
