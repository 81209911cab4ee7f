"""A site on a server of our own: its database, and what must be true of it when all is over."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from tests.e2e.databases import Row
from tests.e2e.site import Site, Supervisor
from tests.servers.server import Server

START = 'echo "S $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $QUEUECTL_FENCE" >> "$LEDGER"'
END = 'echo "E $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $QUEUECTL_FENCE" >> "$LEDGER"'
FINAL = {"completed", "dead"}


class OwnDatabase:
    """One database of one of our servers, looked at as its superuser, who always gets a connection."""

    def __init__(self, server: Server, name: str, *, url: str | None = None) -> None:
        self.server = server
        self.name = name
        self.url = url or server.url(name)

    def create(self) -> None:
        self.server.run(f"CREATE DATABASE {self.name}")

    def copy(self, template: Self) -> None:
        self.server.copy_database(template.name, self.name)

    def drop(self) -> None:
        self.server.drop_database(self.name)

    def rows(self, statement: str, *parameters: object) -> list[Row]:
        return self.server.run(statement, *parameters, database=self.name)

    def change(self, statement: str, *parameters: object) -> None:
        self.server.run(statement, *parameters, database=self.name)

    def check(self) -> None:
        """Do nothing: whether the server's files survive is the server's affair."""


class OwnSite(Site):
    """A site on one of our servers."""

    database: OwnDatabase


def mixed_load(count: int, *, slow_seconds: float = 3.0) -> list[dict[str, object]]:
    """Return jobs that end at once, that fail at first, that fail for good, and that take a while."""
    kinds: list[dict[str, object]] = [
        {"command": f"{START}; {END}"},
        {"command": f"{START}; sleep 0.1; {END}"},
        {"command": f"{START}; [ $QUEUECTL_ATTEMPT -ge 2 ] && {END}", "max_retries": 5},
        {"command": f"{START}; {END}"},
        {"command": f"{START}; exit 1", "max_retries": 1},
        {"command": f"{START}; {END}"},
    ]
    jobs = [{"id": f"j{number}", **kinds[number % len(kinds)]} for number in range(count)]
    slow = {"command": f"{START}; sleep {slow_seconds}; {END}"}
    return [{"id": job["id"], **slow} if number % 20 == 0 else job for number, job in enumerate(jobs)]


def spread(jobs: list[dict[str, object]], seconds: float) -> list[dict[str, object]]:
    """Return the same jobs, due one after another over that time."""
    return [{**job, "delay": round(seconds * number / len(jobs), 2)} for number, job in enumerate(jobs)]


def retry_quickly(site: Site) -> None:
    site.ok("config", "set", "backoff-base", "0.3")
    site.ok("config", "set", "backoff-max", "0.5s")


def migrated(server: Server, home: Path) -> OwnDatabase:
    """Make a database with tables, to be copied."""
    database = OwnDatabase(server, "blank")
    database.create()
    if server.scheme == "postgres":
        database.change("ALTER DATABASE blank OWNER TO queue")
        database.change("GRANT ALL ON SCHEMA public TO queue")
    site = Site(home, database)
    site.ok("initdb")
    retry_quickly(site)
    return database


def check(site: Site, jobs: Iterable[dict[str, object]], *, is_supervisor_lost: bool = False) -> None:
    """Hold the database against the ledger: all is done, and each claim was run once and recorded once.

    Where a supervisor lost its lease, an attempt may be recorded that never left a mark.
    """
    rows = {row["id"]: row for row in site.rows("SELECT * FROM jobs_job")}
    assert set(rows) == {job["id"] for job in jobs}
    assert {row["state"] for row in rows.values()} <= FINAL
    starts = Counter((id_, int(fence)) for _, id_, _, fence in site.lines("S"))
    twice = [claim for claim, count in starts.items() if count > 1]
    assert not twice, f"claims that were started twice: {twice}"
    recorded = {(row["job_id"], row["fence"]): row for row in site.rows("SELECT * FROM jobs_attempt")}
    assert all(row["outcome"] for row in recorded.values())
    assert set(starts) <= set(recorded) if is_supervisor_lost else set(starts) == set(recorded)
    ends = {(id_, int(fence)) for _, id_, _, fence in site.lines("E")}
    for id_, row in rows.items():
        assert (row["state"] == "completed") == ((id_, row["fence"]) in ends), dict(row)
    _check_counters(site, list(rows.values()), list(recorded.values()))
    for supervisor in site.supervisors:
        assert "Traceback" not in supervisor.log(), supervisor.log()


def _check_counters(site: Site, jobs: list[Row], attempts: list[Row]) -> None:
    """Hold the counters against the tables they spare us."""
    (sums,) = site.rows(
        "SELECT SUM(enqueued) AS enqueued, SUM(completed) AS completed, SUM(failed) AS failed, SUM(dead) AS dead"
        " FROM jobs_counter"
    )
    states = Counter(job["state"] for job in jobs)
    expected = {
        "enqueued": len(jobs),
        "completed": sum(attempt["outcome"] == "completed" for attempt in attempts),
        "dead": states["dead"],
    }
    assert {name: int(sums[name]) for name in expected} == expected


def check_outage_was_told_once(supervisor: Supervisor) -> None:
    log = supervisor.log()
    assert log.count("database unavailable, will go on trying") == 1, log
    assert log.count("database available again") == 1, log
    assert "Traceback" not in log, log
