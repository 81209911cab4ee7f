"""Another transaction is in the way: the database undoes ours, or lets it wait no longer. All is done, and once."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.servers.server import Server
from tests.servers.site import END, START, OwnSite, check
from tests.waiting import wait_until

UNAVAILABLE = 75
THREE = [{"id": id_, "command": "true"} for id_ in ("a", "b", "c")]
BURY_ALL = "UPDATE jobs_job SET state = 'dead', finished_at = enqueued_at"
LOCK_B = "SELECT id FROM jobs_job WHERE id = 'b' FOR UPDATE"
LOCK_ATTEMPT_OF_B = "SELECT id FROM jobs_attempt WHERE job_id = 'b' FOR UPDATE"
LOCK_ALL = "SELECT id FROM jobs_job FOR UPDATE"
CLAIM_NAME = "UPDATE jobs_job SET id = '{}' WHERE id = '{}'"  # whoever stores a job of that name has to wait

PHRASES = {"deadlocks": "deadlock detected", "timeouts": "due to lock timeout", "conflicts": "could not serialize"}
IMPATIENT = {
    "postgres": "?options=-c%20lock_timeout%3D500ms",
    "mariadb": "?init_command=SET%20SESSION%20innodb_lock_wait_timeout%3D1",
}
REPEATABLE_READ = {
    "postgres": "?options=-c%20default_transaction_isolation%3Drepeatable%5C%20read",
    "mariadb": "?isolation_level=repeatable%20read",
}


def befell(server: Server, what: str) -> int:
    """Return how often that befell a transaction, as the server itself says."""
    if server.scheme == "postgres":
        return server.log_path.read_text(errors="replace").count(PHRASES[what])
    statement = "SELECT COUNT AS number FROM information_schema.INNODB_METRICS WHERE NAME = %s"
    return sum(row["number"] for row in server.run(statement, f"lock_{what}"))


def is_anyone_waiting(server: Server) -> bool:
    if server.scheme == "postgres":
        return bool(server.run("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
    return befell(server, "row_lock_current_waits") > 0


@contextlib.contextmanager
def foreign_transaction(site: OwnSite) -> Iterator[Callable[[str], Any]]:
    """Begin a transaction that wins every deadlock, and let it run statements; what it has not committed is undone."""
    server = site.database.server
    with contextlib.closing(server.connect(site.database.name)) as connection:
        cursor = connection.cursor()
        if server.scheme == "postgres":
            cursor.execute("SET deadlock_timeout = '1min'")  # undone is who looks first whether there is a deadlock
        cursor.execute("BEGIN")
        yield cursor.execute
        cursor.execute("ROLLBACK")


@contextlib.contextmanager
def deadlock(site: OwnSite, *, held: str, wanted: str) -> Iterator[None]:
    """Hold what ours, begun in the body, will wait for; then want what it holds, until the database has undone it."""
    server = site.database.server
    before = befell(server, "deadlocks")
    with foreign_transaction(site) as execute:
        execute("UPDATE django_migrations SET name = CONCAT(name, '!')")  # MariaDB undoes who has changed less
        execute(held)
        yield
        wait_until(lambda: is_anyone_waiting(server))
        execute(wanted)
    # More than one: who tries again at once may meet the same transaction again, before it has all that it wants.
    assert befell(server, "deadlocks") > before


def test_it_stores_jobs_once_after_a_deadlock(site: OwnSite) -> None:
    site.enqueue({"id": "x", "command": "true"}, {"id": "y", "command": "true"})
    with ThreadPoolExecutor() as pool:
        with deadlock(site, held=CLAIM_NAME.format("b", "x"), wanted=CLAIM_NAME.format("a", "y")):
            stored = pool.submit(site.enqueue, *THREE)
        stored.result()
    assert {row["id"] for row in site.rows("SELECT id FROM jobs_job")} == {"a", "b", "c", "x", "y"}


def test_it_retries_dead_jobs_once_after_a_deadlock(site: OwnSite) -> None:
    site.enqueue(*THREE)
    site.database.change(BURY_ALL)
    with ThreadPoolExecutor() as pool:
        with deadlock(site, held=LOCK_B, wanted=LOCK_ALL):
            printed = pool.submit(site.ok, "dlq", "retry", "--all")
        assert printed.result().startswith("3 dead jobs are pending again")
    assert site.states() == {"pending": 3}


def test_it_cancels_once_what_changes_at_that_moment(site: OwnSite, server: Server) -> None:
    site.enqueue(*THREE)
    site.environment["DATABASE_URL"] += REPEATABLE_READ[server.scheme]
    before = befell(server, "conflicts")
    with ThreadPoolExecutor() as pool, foreign_transaction(site) as execute:
        execute("UPDATE jobs_job SET priority = 7 WHERE id = 'b'")
        printed = pool.submit(site.ok, "cancel", "a", "b", "c")
        wait_until(lambda: is_anyone_waiting(server))
        execute("COMMIT")
        assert printed.result().count("is cancelled.") == 3
    assert (site.states(), site.job("b")["priority"]) == ({"cancelled": 3}, 7)
    assert befell(server, "conflicts") == before + (server.scheme == "postgres")  # MariaDB waits, and goes on


def test_it_may_be_told_again_what_waited_too_long(site: OwnSite, server: Server) -> None:
    site.enqueue(*THREE)
    site.environment["DATABASE_URL"] += IMPATIENT[server.scheme]
    with foreign_transaction(site) as execute:
        execute(LOCK_B)
        done = site.run("cancel", "a", "b", "c")
    assert (done.returncode, site.states()) == (UNAVAILABLE, {"cancelled": 1, "pending": 2}), done
    assert "safe to repeat" in done.stderr
    assert site.run("cancel", "a", "b", "c").stdout.count("is cancelled.") == 2
    assert site.states() == {"cancelled": 3}


@contextlib.contextmanager
def three_that_end_together(site: OwnSite) -> Iterator[Callable[[], None]]:
    """Run three jobs until they are told to end, and one behind them; expect that each was run and recorded once."""
    supervisor = site.start("--count", "3")
    command = f"{START}; until [ -e {site.home}/go ]; do sleep 0.02; done; {END}"
    jobs: list[dict[str, object]] = [{"id": id_, "command": command} for id_ in ("a", "b", "c", "behind")]
    site.enqueue(*jobs)
    wait_until(lambda: len(site.rows("SELECT id FROM jobs_attempt")) == 3)  # that they run has been noted
    yield (site.home / "go").touch
    site.wait_until_settled()
    check(site, jobs)
    assert len(site.rows("SELECT id FROM jobs_attempt")) == 4
    assert supervisor.process.poll() is None
    assert "database unavailable" not in supervisor.log()  # a moment is not worth a line


def test_a_supervisor_records_once_after_a_deadlock(site: OwnSite) -> None:
    with three_that_end_together(site) as end, deadlock(site, held=LOCK_ATTEMPT_OF_B, wanted=LOCK_ALL):
        end()


def test_a_supervisor_records_once_after_it_waited_too_long(site: OwnSite, server: Server) -> None:
    site.environment["DATABASE_URL"] += IMPATIENT[server.scheme]
    with three_that_end_together(site) as end, foreign_transaction(site) as execute:
        before = befell(server, "timeouts")
        execute(LOCK_ATTEMPT_OF_B)
        end()
        wait_until(lambda: befell(server, "timeouts") > before)
