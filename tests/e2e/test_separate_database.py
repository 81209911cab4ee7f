"""The queue in a database of its own, all else in another."""

import contextlib
import sqlite3

import pytest

from tests.conftest import MakeSite
from tests.e2e.site import Site


@pytest.fixture
def site(make_empty_site: MakeSite) -> Site:
    site = make_empty_site(QUEUE_DATABASE_URL="", DATABASE_URL="sqlite:///app.sqlite3")
    site.environment["QUEUE_DATABASE_URL"] = site.database.url
    site.ok("initdb")
    return site


def _tables_of_the_app(site: Site) -> set[str]:
    with contextlib.closing(sqlite3.connect(site.home / "app.sqlite3")) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_jobs_are_enqueued_run_and_looked_at_there(site: Site):
    site.ok("enqueue", "--id", "job1", "echo hello")
    site.ok("worker", "start", "--drain")
    assert site.job("job1")["state"] == "completed"
    assert "hello" in site.ok("logs", "job1")
    assert "job1" in site.ok("list")


def test_settings_and_the_queue_s_people_work_there(site: Site):
    site.ok("config", "set", "max-retries", "0")
    site.ok("enqueue", "--id", "job1", "exit 1")
    site.ok("worker", "start", "--drain")
    assert site.job("job1")["state"] == "dead"
    site.ok("dlq", "retry", "job1")
    assert site.job("job1")["state"] == "pending"


def test_neither_database_holds_what_belongs_into_the_other(site: Site):
    assert {"auth_user", "django_admin_log"} <= _tables_of_the_app(site)
    assert not {table for table in _tables_of_the_app(site) if table.startswith("jobs_")}
    with pytest.raises(Exception, match="auth_user"):
        site.rows("SELECT * FROM auth_user")


def test_doctor_finds_both_of_one_age(site: Site):
    assert "all applied" in site.run("doctor").stdout


def test_a_database_that_was_forgotten_is_named(site: Site):
    site.environment["JOBS_DATABASE"] = "elsewhere"
    done = site.run("list")
    assert done.returncode != 0
    assert "elsewhere" in done.stderr
    assert "Traceback" not in done.stderr
