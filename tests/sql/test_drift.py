"""Literal SQL and the models say the same names, and each statement of the hot path reads the index made for it."""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, models

from jobs import queue, sql
from jobs.models import Attempt, Job, Supervisor
from jobs.outcome import Output
from jobs.queue import _turn
from jobs.sql import conditions
from jobs.states import DEFERRED, FINAL, Kind, State
from tests.clock import NOW, after
from tests.factories import make_job, make_outcome
from tests.queue import turns

DIALECT: Any = sql.for_connection(connection)
STATEMENTS = {name: value for name, value in vars(DIALECT).items() if name.isupper() and isinstance(value, str)}
CONDITIONS = {name: value.sql for name, value in vars(conditions).items() if name.isupper()}
INDEXES = {index.name: index for index in Job._meta.indexes}

LITERAL = re.compile(r"'([^']*)'")
IDENTIFIER = re.compile(r"[a-z_][a-z_0-9]*")


def _columns(model: type[models.Model]) -> set[str]:
    return {str(field.column) for field in model._meta.concrete_fields}


def _identifiers(statement: str) -> set[str]:
    """Return the lower-case words of a statement: its names, as keywords are in upper case."""
    without_texts = LITERAL.sub("", statement).replace("%s", "")
    return set(IDENTIFIER.findall(re.sub(r"\b[A-Z_]+\b", "", without_texts)))


NAMES_OF_ITS_OWN = {
    "PENDING_QUEUES": {"pending"},
    "CLAIM": {"candidates"},
    "FINISH": {"ended", "ended_at", "refund", "postponed", "state_if_cancelled", "value", "json_each", "json_extract"},
    "RECORD_ATTEMPT": {"excluded"},
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_it_names_only_tables_and_columns_that_exist(name: str):
    tables = {model._meta.db_table: model for model in (Job, Attempt)}
    used = [model for table, model in tables.items() if table in STATEMENTS[name]]
    assert used
    known = set(tables).union(*(_columns(model) for model in used))
    assert _identifiers(STATEMENTS[name]) - known <= NAMES_OF_ITS_OWN.get(name, set())


@pytest.mark.parametrize("name", STATEMENTS | CONDITIONS)
def test_it_names_only_states_that_exist(name: str):
    literals = LITERAL.findall((STATEMENTS | CONDITIONS)[name])
    assert {literal for literal in literals if not literal.startswith("$")} <= set(State.values)


def test_it_claims_every_column_that_a_worker_needs():
    returned = _identifiers(STATEMENTS["CLAIM"].split("RETURNING")[1])
    executed = {"kind", "command", "uses_shell", "cwd", "env", "signature", "task", "args", "kwargs", "timeout_seconds"}
    assert returned >= executed


def test_it_calls_final_what_the_states_call_final():
    (listed,) = re.findall(r"state IN \(([^)]*)\)", STATEMENTS["FINISH"])
    assert set(LITERAL.findall(listed)) == FINAL


def test_it_writes_every_column_of_an_attempt():
    columns = _columns(Attempt) - {Attempt._meta.pk.column}
    assert set(_turn.ATTEMPT_COLUMNS) == columns
    inserted, updated = STATEMENTS["RECORD_ATTEMPT"].split("VALUES")
    assert re.findall(r"\w+", inserted.split("(")[1]) == list(_turn.ATTEMPT_COLUMNS)
    assert set(re.findall(r"excluded\.(\w+)", updated)) == columns - {"job_id", "fence", "number", "host"}


def test_it_writes_conditions_as_the_indexes_have_them():
    assert set(LITERAL.findall(CONDITIONS["DEFERRED"])) == DEFERRED == _states_of("jobs_job_deferred")
    assert set(LITERAL.findall(CONDITIONS["DONE"])) == _states_of("jobs_job_done")


def _states_of(index: str) -> set[str]:
    condition = INDEXES[index].condition
    assert condition is not None
    ((_, value),) = condition.children
    return {str(value)} if isinstance(value, str) else {str(state) for state in value}


@pytest.mark.parametrize(
    ("index", "states"),
    [
        ("jobs_job_pending", {State.PENDING}),
        ("jobs_job_deferred", DEFERRED),
        ("jobs_job_processing", {State.PROCESSING}),
        ("jobs_job_dead", {State.DEAD}),
        ("jobs_job_done", FINAL - {State.DEAD}),
    ],
)
def test_it_has_an_index_for_the_jobs_of(index: str, states: set[State]):
    assert _states_of(index) == states


def test_it_has_the_indexes_of_the_models_in_the_database(db):
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, Job._meta.db_table)
    assert set(INDEXES) <= set(constraints)


def test_it_builds_a_statement_only_of_parts_that_are_its_own():
    assert re.findall(r"{(\w+)}", "".join(STATEMENTS.values())) == ["candidates"]


# What the planner makes of the statements that are really sent, on tables with every kind of job.


@contextmanager
def _recorded_plans() -> Iterator[list[str]]:
    """Collect how the database reads `jobs_job` in each statement that is sent meanwhile, a line of its plan each."""
    plans: list[str] = []

    def explain(execute: Callable[..., Any], statement: str, params: Any, many: bool, context: Any) -> Any:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")) and Job._meta.db_table in statement:
            plan = execute(f"EXPLAIN QUERY PLAN {statement}", params, many, context).fetchall()
            plans.extend(line for *_, line in plan if Job._meta.db_table in line)
        return execute(statement, params, many, context)

    with connection.execute_wrapper(explain):
        yield plans


@pytest.fixture
def supervisor(db) -> Supervisor:
    """A supervisor that holds a job, among jobs in every state and in two queues."""
    for state in State:
        make_job(id=f"a {state}", state=state, run_at=after(seconds=-9))
        make_job(id=f"b {state}", state=state, queue="mail", kind=Kind.TASK, task="app.tasks.send")
    supervisor = Job.objects.get(pk="a processing").supervisor
    assert supervisor is not None
    return supervisor


def _claim(supervisor: Supervisor) -> None:
    turns.claim(supervisor)


def _prune(supervisor: Supervisor) -> None:
    queue.set_knob("retention", 60, queue="mail")
    list(queue.prune(policies=queue.load_policies(now=NOW), now=NOW))


def _prune_by_age(supervisor: Supervisor) -> None:
    list(queue.prune(policies=queue.load_policies(now=NOW), now=NOW, older_than_seconds=60))


def _rescue(supervisor: Supervisor) -> None:
    queue.mark_lost(supervisor_id=supervisor.pk, beats=0, now=NOW)
    queue.rescue(supervisor=supervisor, now=NOW)


def _record(supervisor: Supervisor) -> None:
    turns.record(*turns.claim(supervisor), outcome=make_outcome())


def _note_running(supervisor: Supervisor) -> None:
    for claim in turns.claim(supervisor):
        queue.note_running(claim, pid=1, started_at=NOW, output=Output(), host="h")


PRIMARY_KEY = "sqlite_autoindex_jobs_job_1"
STEPS: dict[str, tuple[Callable[[Supervisor], object], set[str]]] = {
    "claim": (_claim, {"jobs_job_pending", PRIMARY_KEY}),
    "promote": (lambda _: queue.promote(now=NOW), {"jobs_job_deferred", PRIMARY_KEY}),
    "next_due_at": (lambda _: queue.next_due_at(), {"jobs_job_deferred"}),
    "record": (_record, {"jobs_job_pending", "jobs_job_processing", PRIMARY_KEY}),
    "note_running": (_note_running, {"jobs_job_pending", PRIMARY_KEY}),
    "cancels_asked": (lambda each: queue.cancels_asked(supervisor_id=each.pk), {"jobs_job_processing"}),
    "rescue": (_rescue, {"jobs_job_processing"}),
    "gone_with_jobs": (lambda _: queue.gone_with_jobs(), {"jobs_job_processing"}),
    "prune": (_prune, {"jobs_job_done"}),
    "prune by age": (_prune_by_age, {"jobs_job_done"}),
    "forget_old": (lambda _: queue.forget_old(now=after(seconds=10**9)), {"jobs_job_processing"}),
    "requeue": (lambda _: queue.requeue(["a dead"], now=NOW), {PRIMARY_KEY}),
    "cancel": (lambda _: queue.cancel(["a pending", "a processing"], now=NOW), {PRIMARY_KEY}),
    "delete": (lambda _: queue.delete(["a dead"], now=NOW), {PRIMARY_KEY}),
}


@pytest.mark.parametrize("step", STEPS)
def test_it_reads_jobs_through_the_index_that_was_made_for_it(step: str, supervisor: Supervisor):
    act, indexes = STEPS[step]
    with _recorded_plans() as plans:
        act(supervisor)
    assert plans
    used = {line: re.findall(r"USING (?:COVERING )?INDEX (\w+)", line) for line in plans}
    assert {line for line, index in used.items() if not set(index) & indexes} == set()
    assert {name for index in used.values() for name in index} == indexes


def test_it_sorts_nothing_to_find_the_next_job_of_a_queue(supervisor: Supervisor):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {STATEMENTS['NEXT_OF_QUEUE']}", ["mail", 10])
        plan = [row[-1] for row in cursor.fetchall()]
    assert not any("TEMP B-TREE" in line for line in plan)


def test_it_documents_every_function_of_the_contract_in_the_contract():
    contract = {name for name, _ in inspect.getmembers(sql.Dialect, inspect.isfunction) if not name.startswith("_")}
    missing = {name for name in contract if not callable(getattr(DIALECT, name, None))}
    assert missing == set()
