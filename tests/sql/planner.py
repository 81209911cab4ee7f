"""What differs between databases in the tests of literal SQL: how to ask for a plan, and what things are called."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

from jobs import sql
from jobs.models import Job, Supervisor
from jobs.sql.rows import CLAIM_COLUMNS
from jobs.states import State
from tests.factories import make_jobs, make_supervisor

DIALECT: Any = sql.for_connection(connection)
TABLE = Job._meta.db_table
PRIMARY_KEYS = {"sqlite": "sqlite_autoindex_jobs_job_1", "postgresql": "jobs_job_pkey", "mysql": "PRIMARY"}
PRIMARY_KEY = PRIMARY_KEYS[connection.vendor]
PENDING, PROCESSING = "jobs_job_pending", "jobs_job_processing"
# On MariaDB, which has no partial indexes, this one holds the jobs of all states, those of a state together.
AS_GOOD_AS = {"mysql": {PROCESSING: "jobs_job_dead"}}.get(connection.vendor, {})

# Statements about the server, which name nothing of ours.
FOREIGN = {"OLDEST_SNAPSHOT"}

# The names that a statement gives to things of its own, and those of functions and types.
OWN_NAMES: dict[str, dict[str, set[str]]] = {
    "sqlite": {
        "PENDING_QUEUES": {"pending"},
        "FINISH": {
            *("ended", "ended_at", "refund", "postponed", "state_if_cancelled"),
            *("value", "json_each", "json_extract"),
        },
        "RECORD_ATTEMPT": {"excluded"},
    },
    "postgresql": {
        "PENDING_QUEUES": {"pending", "next"},
        "WANTED_OF_ONE": {"quota", "text", "bigint"},
        "WANTED_OF_MANY": {"quota", "text", "unnest", "open", "next", "candidates"},
        "CLAIM": {"wanted", "locked", "next", "quota"},
        "FINISH": {
            *("ended", "ended_at", "refund", "postponed", "state_if_cancelled", "finished", "recorded", "excluded"),
            *("json_to_recordset", "text", "bigint", "integer", "timestamptz", "double", "precision"),
        },
        "RECORD_ATTEMPT": {"excluded"},
    },
    "mysql": {
        "WANTED": {"following", "candidates"},
        "FINISH": {"ended", "refund", "postponed"},
        "LOCK_NEXT": {PENDING},
        "NEXT_OF_QUEUE": {PENDING},
    },
}
PARTS = {"candidates", "columns", "wanted"}  # what a statement is put together of


def next_of_queue(queue: str) -> tuple[str, list[Any]]:
    """Return the statement that finds the next jobs of one queue, with its parameters."""
    if connection.vendor == "postgresql":
        statement = DIALECT.CLAIM.format(wanted=DIALECT.WANTED_OF_ONE, columns=CLAIM_COLUMNS)
        return statement, [queue, 10, 1, None]
    if connection.vendor == "mysql":
        return DIALECT.LOCK_NEXT.format(columns=CLAIM_COLUMNS), [queue, 10]
    return DIALECT.NEXT_OF_QUEUE, [queue, 10]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a plan."""

    table: str | None  # which is read, if one is
    index: str | None  # through which, if through one
    is_whole: bool  # the index is read from end to end, as far as the statement's limit lets it
    is_sort: bool
    text: str


Explain = Callable[[str], list[Any]]


def _sqlite(explain: Explain, tables: set[str]) -> Iterator[Step]:
    for *_, line in explain("EXPLAIN QUERY PLAN"):
        found = re.match(r"(SCAN|SEARCH) (?:TABLE )?(\w+)(?:.* INDEX (\w+))?", line)
        verb, table, index = found.groups() if found else (None, None, None)
        yield Step(TABLE if table in tables else table, index, verb == "SCAN", "TEMP B-TREE" in line, line)


def _postgresql(explain: Explain, _tables: set[str]) -> Iterator[Step]:
    for (plans,) in explain("EXPLAIN (FORMAT JSON)"):
        for plan in json.loads(plans) if isinstance(plans, str) else plans:
            yield from _nodes(plan["Plan"])


def _nodes(node: dict[str, Any]) -> Iterator[Step]:
    kind, index = node["Node Type"], node.get("Index Name")
    # A bitmap of rows is made by one node, which names no table, and read by another, which names no index.
    table = node.get("Relation Name") if "Scan" in kind and kind != "Bitmap Heap Scan" else None
    if kind == "Bitmap Index Scan" and index in {*(index.name for index in Job._meta.indexes), PRIMARY_KEY}:
        table = TABLE
    yield Step(table, index, "Index Cond" not in node, "Sort" in kind, f"{kind} {index}")
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _mysql(explain: Explain, tables: set[str]) -> Iterator[Step]:
    for _, _, table, kind, _, key, _, _, _, extra in explain("EXPLAIN"):
        name = TABLE if table in tables else table
        yield Step(name, key, kind in ("ALL", "index"), "filesort" in (extra or ""), f"{kind} {key} {extra}")


_ASK: dict[str, Callable[[Explain, set[str]], Iterator[Step]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
}


def plan(explain: Explain, statement: str) -> list[Step]:
    """Return the plan of a statement; `explain` asks for it with the words of the database."""
    aliases = re.findall(rf"{TABLE}\W+(U\d+)", statement)  # as the ORM names a table within a subquery
    return list(_ASK[connection.vendor](explain, {TABLE, *aliases}))


def plan_of(statement: str, parameters: list[Any]) -> list[Step]:
    with connection.cursor() as cursor:

        def explain(words: str) -> list[Any]:
            cursor.execute(f"{words} {statement}", parameters)
            return list(cursor.fetchall())

        return plan(explain, statement)


@contextmanager
def recorded() -> Iterator[list[tuple[Step, str]]]:
    """Collect how the database reads jobs in each statement that is sent meanwhile."""
    found: list[tuple[Step, str]] = []

    def look(execute: Callable[..., Any], statement: str, params: Any, many: bool, context: Any) -> Any:
        def explain(words: str) -> list[Any]:
            execute(f"{words} {statement}", params, many, context)
            return list(context["cursor"].fetchall())

        if statement.lstrip("( \n").startswith(("SELECT", "UPDATE", "DELETE", "WITH")) and TABLE in statement:
            found.extend((step, statement) for step in plan(explain, statement) if step.table == TABLE)
        return execute(statement, params, many, context)

    with connection.execute_wrapper(look):
        yield found


@contextmanager
def crowd() -> Iterator[None]:
    """Fill the table for a while with enough jobs that the planner of a server sees a point in its indexes."""
    if connection.vendor == "sqlite":  # whose plans do not depend on the rows
        yield
        return
    supervisor = make_supervisor(marker="crowd")
    for state in State:
        owner = {"supervisor": supervisor} if state is State.PROCESSING else {}
        count = 2_000 if state is State.COMPLETED else 200
        make_jobs({"id": f"{state} {n}", "state": state, "queue": f"q{n % 5}", **owner} for n in range(count))
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("ANALYZE TABLE jobs_job")
        else:
            cursor.execute("ANALYZE jobs_job")
            cursor.execute("SET enable_seqscan = off")  # a table of this size may be read whole where it has no use
    yield
    Job.objects.all()._raw_delete(connection.alias)
    Supervisor.objects.all().delete()
    connection.close()
