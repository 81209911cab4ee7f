"""`move`: what it says, what it refuses, and what it never says."""

import hashlib
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.command import refused
from tests.e2e.databases import SQLite
from tests.e2e.site import CHECKOUT, LONG_SECONDS, Site
from tests.waiting import wait_until

PASSWORD = "s3cr3t/hush"
UNAVAILABLE = 75


@pytest.fixture
def old(make_sqlite_site: Callable[..., Site]) -> Site:
    return make_sqlite_site(SECRET_KEY="the same")


@pytest.fixture
def new(make_site: Callable[..., Site]) -> Site:
    return make_site(SECRET_KEY="the same")


def url(site: Site) -> str:
    """Return what `--from` takes for a site on SQLite."""
    assert isinstance(site.database, SQLite)
    return f"sqlite:///{site.database.path}"


# A whole house, by processes of its own.


def test_it_says_what_it_did_and_what_is_next(old: Site, new: Site):
    old.enqueue(*({"id": f"job{number}", "command": "echo done >> $LEDGER"} for number in range(3)))
    old.enqueue({"id": "dead", "command": "false", "max_retries": 0}, {"id": "later", "command": "true", "delay": "1h"})
    old.run("worker", "start", "--drain", "--max-jobs", "2")
    old.ok("config", "set", "max-retries", "5")
    new.ok("config", "set", "timeout", "1h")
    looked = new.run("move", "--from", url(old), "--dry-run")
    assert looked.returncode == 0, looked.stderr
    assert "Nothing stands in the way of moving them from" in looked.stdout
    assert new.states() == {}
    done = new.run("move", "--from", url(old))
    assert done.returncode == 0, done.stderr
    assert re.search(r"^STATE +COPIED +THERE ALREADY$", done.stdout, re.MULTILINE)
    assert re.search(r"^scheduled +1 +0$", done.stdout, re.MULTILINE)
    assert "Also copied: 2 attempts, the settings of 0 queues, " in done.stdout
    assert "Kept, though other than in the old database: the settings of *." in done.stdout
    assert "Read again from both databases and found the same: 5 jobs, 2 attempts." in done.stdout
    assert done.stderr.startswith(f"Moving the queue from {old.home}/queue.sqlite3 to ")
    assert done.stderr.endswith("then start workers: queuectl worker start\n")


def test_it_runs_every_job_once_after_it_was_killed_again_and_again(old: Site, new: Site):
    count = 3_000
    old.enqueue(*({"id": f"{number:04}", "command": f"echo {number:04} >> $LEDGER"} for number in range(count)))
    deaths = 0
    while _dies_after_its_first_batch(old, new):
        deaths += 1
    assert deaths >= 2
    assert new.states() == {"pending": count}
    assert old.states() == {"cancelled": count}
    for site in (old, new):
        assert site.run("worker", "start", "--drain", "--count", "2").returncode == 0
    assert sorted(words[0] for words in old.lines()) == [f"{number:04}" for number in range(count)]
    assert new.lines() == []  # the jobs' environment names the old ledger
    assert new.states() == {"completed": count}


def _dies_after_its_first_batch(old: Site, new: Site) -> bool:
    """Kill a move that has brought something; return whether it had not ended by then."""
    before = _count(new)
    process = subprocess.Popen(new.command("move", "--from", url(old)), cwd=CHECKOUT, env=new.environment)
    try:
        wait_until(lambda: process.poll() is not None or _count(new) > before, timeout_seconds=LONG_SECONDS)
    finally:
        process.kill()
    assert process.wait() in (0, -signal.SIGKILL)
    return process.returncode != 0


def _count(site: Site) -> int:
    return sum(site.states().values())


def test_it_is_interrupted_without_harm(old: Site, new: Site):
    old.enqueue(*({"command": "true"} for _ in range(5_000)))
    log = new.home / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            new.command("move", "--from", url(old)), cwd=CHECKOUT, env=new.environment, stderr=stderr
        )
        wait_until(lambda: new.rows("SELECT id FROM jobs_job LIMIT 1"))
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130, log.read_text()
    assert log.read_text().endswith("Interrupted. No job is lost; repeat the command to finish.\n")
    assert new.run("move", "--from", url(old)).returncode == 0
    assert new.states() == {"pending": 5_000}


def test_it_refuses_while_workers_run_and_says_how_to_stop_them(old: Site, new: Site):
    supervisor = old.start()
    done = new.run("move", "--from", url(old))
    assert (done.returncode, done.stdout) == (5, "")
    assert f":{supervisor.pid} (id 1); stop them: queuectl worker stop, with DATABASE_URL as it is there" in done.stderr
    supervisor.kill()
    assert new.run("move", "--from", url(old)).returncode == 0


def test_it_lets_a_job_of_a_killed_supervisor_run_again_in_the_new_house(old: Site, new: Site):
    old.enqueue({"id": "job1", "command": "echo ran >> $LEDGER; sleep $((60 - 59 * ${QUEUECTL_ATTEMPT} / 2))"})
    supervisor = old.start()
    wait_until(lambda: old.lines("ran"))
    supervisor.kill()
    new.ok("move", "--from", url(old))
    assert not old.marked_processes()  # what was left of it might still have run beside the next attempt
    new.start()
    row = new.wait_for_state("job1", "completed")
    assert [attempt["outcome"] for attempt in new.attempts("job1")] == ["lost", "completed"]
    assert row["attempts"] == len(old.lines("ran")) == 2


def test_it_warns_of_jobs_that_no_worker_would_run(make_sqlite_site: Callable[..., Site], new: Site):
    stranger = make_sqlite_site(SECRET_KEY="another")
    stranger.enqueue({"id": "job1", "command": "true"})
    for words in (["--dry-run"], []):
        done = new.run("move", "--from", url(stranger), *words)
        assert done.returncode == 0
        assert "Not signed with this SECRET_KEY: 1 job; before a worker starts, give it the SECRET_KEY" in done.stderr


# What it refuses.


def files(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no URL"),
        ("nowhere", "there is no database 'nowhere' in DATABASES"),
        ("default", "is the configured database itself"),
        (f"postgres:/joe:{PASSWORD}@db/queue", "is no URL; write sqlite:////srv/queue.sqlite3"),
        ("redis://localhost/0", "must start with sqlite:///, postgres:// or mariadb://"),
        (f"{PASSWORD}://db/queue", "must start with"),
        ("sqlite://", "must name a file"),
        ("sqlite:///", "must name a file"),
        ("sqlite://:memory:", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite://queue.sqlite3", "must name a file"),
        ("sqlite:////nowhere/queue.sqlite3", "there is no file /nowhere/queue.sqlite3"),
        ("sqlite:////tmp", "there is no file /tmp"),
        (f"postgres://joe:{PASSWORD}@db/queue", "cannot be read"),
        (f"postgres://joe:{PASSWORD}@db:port/queue", "cannot be read"),
        ("postgres://joe:x@db", "names no database"),
        ("mariadb://[::1/queue", "cannot be read"),
    ],
)
@pytest.mark.django_db
def test_it_refuses_what_names_no_queue(text: str, said: str):
    line = refused("move", "--from", text)
    assert line.startswith("queuectl: --from: ")
    assert said in line
    assert "hush" not in line
    assert "s3cr3t" not in line


def test_it_makes_no_file(new: Site, tmp_path: Path):
    assert new.run("move", "--from", f"sqlite:///{tmp_path}/none.sqlite3").returncode == 2
    assert files(tmp_path) == {}


def test_it_does_not_touch_a_file_that_is_something_else(new: Site, tmp_path: Path):
    (tmp_path / "shopping").write_bytes(b"milk and honey\n" * 1_000)
    with closing(sqlite3.connect(tmp_path / "other.sqlite3")) as other:
        other.execute("CREATE TABLE jobs_job (id TEXT)")
    before = files(tmp_path)
    done = new.run("move", "--from", f"sqlite:///{tmp_path}/shopping")
    assert (done.returncode, done.stderr.count("\n")) == (UNAVAILABLE, 1)
    assert "the source: the file is not an SQLite database" in done.stderr
    done = new.run("move", "--from", f"sqlite:///{tmp_path}/other.sqlite3")
    assert (done.returncode, done.stderr.count("\n")) == (UNAVAILABLE, 1)
    assert "other.sqlite3) has no tables of the queue; is it the right one?" in done.stderr
    assert files(tmp_path) == before


def test_it_refuses_a_new_house_without_tables(old: Site, make_empty_site: Callable[..., Site]):
    done = make_empty_site().run("move", "--from", url(old))
    assert (done.returncode, done.stderr.count("\n")) == (UNAVAILABLE, 1)
    assert "has no tables of the queue; make them with: queuectl initdb" in done.stderr


def test_it_refuses_tables_of_another_age(old: Site, new: Site, make_site: Callable[..., Site]):
    new.database.change("UPDATE django_migrations SET name = '9999_later' WHERE app = 'jobs' AND name = '0001_initial'")
    old.enqueue({"command": "true"})
    done = new.run("move", "--from", url(old))
    assert (done.returncode, done.stderr.count("\n")) == (UNAVAILABLE, 1)
    assert "belongs to a newer version of queuectl: its migration 9999_later is unknown here" in done.stderr
    old.database.change("DELETE FROM django_migrations WHERE app = 'jobs' AND name = '0001_initial'")
    done = make_site().run("move", "--from", url(old))
    assert (done.returncode, done.stderr.count("\n")) == (UNAVAILABLE, 1)
    assert "queue.sqlite3) is older than this version; bring it up to date: queuectl initdb, with" in done.stderr


@pytest.mark.parametrize(
    ("scheme", "module", "remedy"),
    [("postgres", "psycopg", "django-queuectl[postgres]"), ("mariadb", "MySQLdb", "django-queuectl[mysql]")],
)
def test_it_says_which_driver_is_missing(
    scheme: str, module: str, remedy: str, make_sqlite_site: Callable[..., Site], tmp_path: Path
):
    (tmp_path / f"{module}.py").write_text("raise ImportError('not installed')\n")
    (tmp_path / "psycopg2.py").write_text("raise ImportError('not installed')\n")
    site = make_sqlite_site(PYTHONPATH=str(tmp_path))
    done = site.run("move", "--from", f"{scheme}://joe:hush@127.0.0.1:9/queue")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"the driver for this database is missing; install it with: pip install '{remedy}'" in done.stderr


DRIVERS = {"postgres": "psycopg", "mariadb": "MySQLdb"}


@pytest.mark.parametrize("scheme", [scheme for scheme, driver in DRIVERS.items() if find_spec(driver)])
@pytest.mark.parametrize("options", [[], ["--traceback"]])
def test_it_says_that_a_server_does_not_answer_and_keeps_the_password_to_itself(
    scheme: str, options: list[str], make_sqlite_site: Callable[..., Site]
):
    done = make_sqlite_site().run("move", "--from", f"{scheme}://joe:hush%2Fs3cr3t@127.0.0.1:9/queue", *options)
    assert "the source: the database cannot be reached: " in done.stderr
    assert "hush" not in done.stderr
    assert "s3cr3t" not in done.stderr
    if not options:
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (UNAVAILABLE, "", 1)


def test_it_needs_to_know_where_from():
    assert "--from" in refused("move")
