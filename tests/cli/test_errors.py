"""Databases that are missing, locked, full, read-only or none, and readers that went away: a line and an exit code."""

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.site import CHECKOUT, Site
from tests.small_disk import SmallDisk
from tests.waiting import wait_until

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # prctl(2), capabilities(7)
UNAVAILABLE = 75
MIB = 1_048_576


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Expect one line on stderr and nothing else, and return it."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("queuectl: ")
    return done.stderr


def run(site: Site, *words: str, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process that does `before` at its start."""
    return subprocess.run(
        site.command(*words),
        cwd=CHECKOUT,
        env=site.environment,
        preexec_fn=before,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_says_how_to_make_tables(empty_site):
    for words in (["list"], ["worker", "start"]):
        assert refused(empty_site.run(*words), UNAVAILABLE).endswith("with: queuectl initdb\n")
    found = empty_site.run("doctor")
    assert (found.returncode, found.stderr) == (1, "")
    assert "try  queuectl initdb" in found.stdout


def test_it_says_how_to_make_a_database(make_sqlite_site, tmp_path):
    (tmp_path / "elsewhere.py").write_text(
        "from tests.settings import *\n"
        f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.sqlite3', 'NAME': '{tmp_path}/none.sqlite3'}}}}\n"
    )
    path = f"{tmp_path}:{CHECKOUT}"
    elsewhere = make_sqlite_site(DJANGO_SETTINGS_MODULE="elsewhere", PYTHONPATH=path, QUEUECTL_TEST_HOME=str(tmp_path))
    for words in (["enqueue", "true"], ["worker", "start"]):
        assert "there is no database at" in refused(elsewhere.run(*words), UNAVAILABLE)
    assert not (tmp_path / "none.sqlite3").exists()
    assert "there is no database at" in elsewhere.run("doctor").stdout


def test_it_says_that_times_need_a_zone(make_sqlite_site, tmp_path):
    (tmp_path / "zoneless.py").write_text("from tests.settings import *\nUSE_TZ = False\n")
    path = f"{tmp_path}:{CHECKOUT}"
    zoneless = make_sqlite_site(DJANGO_SETTINGS_MODULE="zoneless", PYTHONPATH=path)
    for words in (["enqueue", "true"], ["worker", "start"], ["doctor", "job1"], ["list"]):
        assert "set USE_TZ = True" in refused(zoneless.run(*words), UNAVAILABLE)
    assert "set USE_TZ = True" in zoneless.run("doctor").stdout


def test_it_says_that_a_file_is_no_database(sqlite_site):
    (sqlite_site.home / "queue.sqlite3").write_bytes(b"a shopping list\n" * 1_000)
    assert "not an SQLite database" in refused(sqlite_site.run("list"), UNAVAILABLE)


def test_it_waits_for_a_lock_and_then_gives_up(make_sqlite_site):
    busy = make_sqlite_site(DATABASE_URL="sqlite:///queue.sqlite3?timeout=1")
    with contextlib.closing(sqlite3.connect(busy.home / "queue.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "the database is busy" in refused(busy.run("enqueue", "--id", "job1", "true"), UNAVAILABLE)
        assert busy.run("list").returncode == 0
        other.execute("ROLLBACK")
    assert busy.ok("enqueue", "--id", "job1", "--quiet", "true") == "job1\n"


def test_it_gives_up_on_a_lock_after_ten_seconds(sqlite_site):
    """Asked of the process itself, which saves the ten seconds."""
    code = (
        "import django; django.setup()\n"
        "from django.db import connection\n"
        "from jobs.cli import process\n"
        "from jobs.management.commands.queuectl import Command\n"
        "for words in (['worker', 'start'], ['list']):\n"
        "    process.limit_patience(Command().create_parser('queuectl', 'queuectl').parse_args(words))\n"
        "    print(connection.settings_dict['OPTIONS']['timeout'])\n"
    )
    command = [sqlite_site.command()[0], "-c", code]
    environment = sqlite_site.environment | {"DJANGO_SETTINGS_MODULE": "queuectl_site.settings"}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["20.0", "10.0"]


def _without_the_privilege_of_root() -> None:
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def test_it_says_that_the_database_is_read_only(sqlite_site):
    site, database = sqlite_site, sqlite_site.home / "queue.sqlite3"
    site.ok("list")
    database.chmod(0o400)
    try:
        done = run(site, "enqueue", "true", before=_without_the_privilege_of_root)
        assert "read-only; check the permissions" in refused(done, UNAVAILABLE)
        assert "cannot be written to" in run(site, "doctor", before=_without_the_privilege_of_root).stdout
    finally:
        database.chmod(0o600)


def test_it_says_that_the_folder_of_the_database_is_read_only(make_sqlite_site, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    site = make_sqlite_site(DATABASE_URL=f"sqlite:///{folder}/queue.sqlite3")
    shutil.copy(site.home / "queue.sqlite3", folder)
    folder.chmod(0o500)
    try:
        for words in (["enqueue", "true"], ["worker", "start"]):
            done = run(site, *words, before=_without_the_privilege_of_root)
            assert refused(done, UNAVAILABLE).endswith("check the permissions of the file and of its folder\n")
        assert "and of its folder" in run(site, "doctor", before=_without_the_privilege_of_root).stdout
    finally:
        folder.chmod(0o700)
    assert site.ok("list", "--json") == "[]\n"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        disk = SmallDisk(tmp_path, size_bytes=2 * MIB)
    except OSError:
        pytest.skip("only root can mount a small disk; the limit of a file's size is tested below")
    yield disk
    disk.remove()


def test_it_says_that_the_disk_is_full_and_stores_nothing(make_sqlite_site, disk):
    full = make_sqlite_site(DATABASE_URL=f"sqlite:///{disk.place}/queue.sqlite3")
    full.ok("initdb")
    job = '{"id": "job1", "command": "%s"}' % ("x" * 100_000)
    disk.fill()
    assert "the disk that holds the database is full" in refused(full.run("enqueue", job), UNAVAILABLE)
    disk.free()
    assert full.ok("list", "--json") == "[]\n"
    assert full.ok("enqueue", "--quiet", job) == "job1\n"


def test_it_says_that_a_file_may_not_grow_and_stores_nothing(sqlite_site):
    sqlite_site.ok("enqueue", "--id", "job0", "true")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = run(sqlite_site, "enqueue", "--id", "job1", "echo " + "x" * 100_000, before=limit)
    assert "disk" in refused(done, UNAVAILABLE)
    assert sqlite_site.ok("list", "--json").count('"id"') == 1


@pytest.mark.parametrize("word", ["--help", "list"])
def test_it_is_silent_when_its_reader_goes_away(site, word):
    site.ok("enqueue", "true")
    process = subprocess.Popen(
        site.command(word), cwd=CHECKOUT, env=site.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait() == 141


def test_it_says_that_its_output_cannot_be_written(site):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            site.command("list", "--json"),
            cwd=CHECKOUT,
            env=site.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"queuectl: No space left on device\n")


def test_a_supervisor_works_on_when_nobody_reads_its_status_lines(site):
    command = site.command("worker", "start", "--recycle-jobs", "1", "--max-jobs", "3")
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=site.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stderr is not None
        supervisor.stdout.readline()
        supervisor.stdout.close()
        site.enqueue(*({"id": f"job{number}", "command": "true"} for number in range(3)))
        log = supervisor.stderr.read()
    assert (supervisor.returncode, site.states()) == (0, {"completed": 3})
    assert log.count("status lines cannot be printed") == 1


def test_a_supervisor_works_on_when_the_disk_with_its_status_lines_is_full(site):
    site.enqueue({"id": "job1", "command": "true"})
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            site.command("worker", "start", "--drain"),
            cwd=CHECKOUT,
            env=site.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, site.states()) == (0, {"completed": 1})
    assert b"status lines cannot be printed any more: [Errno 28]" in done.stderr


@pytest.mark.parametrize(
    ("words", "done"),
    [(["--id", "job1", "true"], b"job1 is enqueued"), (["--quiet", "--file", "-"], b"2,000 jobs enqueued")],
)
def test_it_says_that_a_job_is_stored_whose_answer_cannot_be_written(site, words, done):
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            site.command("enqueue", *words),
            cwd=CHECKOUT,
            env=site.environment,
            input=b'{"command": "true"}\n' * 2_000,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ended.returncode == 1
    expected = b"queuectl: %s, but the answer could not be written to the output: No space left on device\n"
    assert ended.stderr == expected % done
    assert site.states()["pending"] == (1 if words[0] == "--id" else 2_000)


def test_it_is_interrupted_without_a_traceback(site):
    site.ok("enqueue", "--id", "job1", "true")
    log = site.home / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            site.command("logs", "job1", "-f"), cwd=CHECKOUT, env=site.environment, stderr=stderr
        )
        wait_until(lambda: "job1 waits: no worker is running" in log.read_text())
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert "Traceback" not in log.read_text()


def test_it_shows_where_an_error_arose_when_asked(site):
    done = site.run("show", "nope", "--traceback")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_it_prints_what_the_terminal_cannot_as_escapes(site):
    site.environment |= {"PYTHONIOENCODING": "ascii"}
    assert site.ok("enqueue", "--id", "é", "true").startswith("\\xe9 is enqueued")
    assert "\\xe9" in site.ok("list")


def test_it_lives_with_closed_streams(site):
    def close() -> None:
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    assert run(site, "enqueue", "--id", "job1", "true", before=close).returncode == 0
    assert run(site, "enqueue", "--file", "-", before=close).returncode == 2
    assert site.ok("list", "--json").count('"id"') == 1
