"""Migrating while workers run: old code goes on beside a newer database, and new code waits for its migrations."""

import signal

from tests.e2e.site import Site

# What a later version may do to the tables: add.
EXPANSION = (
    "ALTER TABLE jobs_job ADD COLUMN of_a_later_version INTEGER NULL",
    "ALTER TABLE jobs_attempt ADD COLUMN of_a_later_version VARCHAR(10) NOT NULL DEFAULT 'x'",
    "CREATE TABLE jobs_later (id INTEGER PRIMARY KEY)",
    "INSERT INTO django_migrations (app, name, applied) VALUES ('jobs', '9999_later', '2026-01-01 00:00:00')",
)


def test_an_old_supervisor_goes_on_while_the_tables_grow(site: Site) -> None:
    supervisor = site.start("--count", "1")
    site.enqueue({"id": "running", "command": "echo begins; sleep 2"}, {"id": "before", "command": "true"})
    site.wait_for_state("running", "processing")

    for statement in EXPANSION:
        site.database.change(statement)
    site.enqueue({"id": "after", "command": "true"}, {"id": "fails", "command": "exit 1", "max_retries": 0})

    site.wait_until_settled()
    assert site.states() == {"completed": 3, "dead": 1}
    assert len(site.attempts("running")) == 1
    assert site.run("doctor").stdout.count("9999_later") == 1
    supervisor.signal(signal.SIGTERM)
    assert supervisor.wait() == 0
    assert "Traceback" not in supervisor.log()


def test_a_new_supervisor_does_not_start_on_older_tables(site: Site) -> None:
    site.database.change("DELETE FROM django_migrations WHERE app = 'jobs' AND name = '0003_task_results'")

    done = site.run("worker", "start")

    assert done.returncode == 75
    assert done.stderr.startswith("queuectl: the database ")
    assert done.stderr.endswith(" lacks 0003_task_results; bring it up to date with: queuectl initdb\n")
