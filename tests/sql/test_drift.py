"""Literal SQL and the models say the same names, and each statement of the hot path reads the index made for it."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, models

from jobs import queue, sql
from jobs.models import Attempt, Job, Supervisor
from jobs.outcome import Output
from jobs.sql import conditions
from jobs.sql.conditions import InPool
from jobs.sql.rows import ATTEMPT_COLUMNS, CLAIM_COLUMNS, JOB_COLUMNS, Finish
from jobs.states import DEFERRED, FINAL, Kind, State
from tests.clock import NOW, after
from tests.factories import make_job, make_jobs, make_outcome
from tests.queue import turns
from tests.sql import planner
from tests.sql.planner import DIALECT, PENDING, PRIMARY_KEY, PROCESSING

LITERAL = re.compile(r"'([^']*)'")
IDENTIFIER = re.compile(r"[a-z_][a-z_0-9]*")
# As opposed to the names of columns and channels.
IS_STATEMENT = re.compile(r"\s*\(?\s*(SELECT|WITH|UPDATE|INSERT|DELETE|COPY) ")

STATEMENTS: dict[str, str] = {
    name: value
    for name, value in vars(DIALECT).items()
    if name.isupper() and isinstance(value, str) and IS_STATEMENT.match(value) and name not in planner.FOREIGN
}
CONDITIONS: dict[str, InPool] = {name: value for name, value in vars(conditions).items() if isinstance(value, InPool)}
INDEXES: dict[str, Any] = {str(index.name): index for index in Job._meta.indexes}


def _columns(model: type[models.Model]) -> set[str]:
    return {str(field.column) for field in model._meta.concrete_fields}


def _identifiers(statement: str) -> set[str]:
    """Return the lower-case words of a statement: its names, as keywords are in upper case."""
    without_texts = re.sub(r"%s|{\w+}", "", LITERAL.sub("", statement))
    return set(IDENTIFIER.findall(re.sub(r"\b[A-Z_]+\b", "", without_texts)))


@pytest.mark.parametrize("name", STATEMENTS)
def test_it_names_only_tables_and_columns_that_exist(name: str):
    tables = {model._meta.db_table: model for model in (Job, Attempt)}
    used = [model for table, model in tables.items() if table in STATEMENTS[name]] or [Job]
    known = set(tables).union(*(_columns(model) for model in used))
    own = planner.OWN_NAMES[connection.vendor].get(name, set())
    assert _identifiers(STATEMENTS[name]) - known <= own


def test_it_knows_no_names_that_are_gone():
    known = planner.OWN_NAMES[connection.vendor]
    assert set(known) <= set(STATEMENTS)
    assert {name: own - _identifiers(STATEMENTS[name]) for name, own in known.items()} == {
        name: set() for name in known
    }


@pytest.mark.parametrize("statement", [*STATEMENTS.values(), *(each.literal for each in CONDITIONS.values())])
def test_it_names_only_states_that_exist(statement: str):
    literals = LITERAL.findall(statement)
    assert {literal for literal in literals if not literal.startswith("$")} <= set(State.values)


def test_it_claims_every_column_that_a_worker_needs():
    executed = {"kind", "command", "uses_shell", "cwd", "env", "signature", "task", "args", "kwargs", "timeout_seconds"}
    assert executed <= set(CLAIM_COLUMNS.split(", ")) <= _columns(Job)


def test_it_calls_final_what_the_states_call_final():
    for listed in re.findall(r"state IN \(([^)]*)\)", STATEMENTS["FINISH"]):
        assert set(LITERAL.findall(listed)) == FINAL


def test_it_writes_every_column_of_a_new_job_that_must_not_be_null():
    required = {field.column for field in Job._meta.concrete_fields if not field.null}
    assert required <= set(JOB_COLUMNS) <= _columns(Job)
    listed = re.findall(r"(?:INSERT INTO|COPY) jobs_job \(([^)]*)\)", "".join(STATEMENTS.values()))
    assert listed
    assert all(re.findall(r"\w+", columns) == list(JOB_COLUMNS) for columns in listed)


def test_it_writes_every_column_of_an_attempt():
    columns = _columns(Attempt) - {str(Attempt._meta.pk.column)}
    assert set(ATTEMPT_COLUMNS) == columns
    for statement in [statement for statement in STATEMENTS.values() if "INSERT INTO jobs_attempt" in statement]:
        inserted, updated = re.split(r"ON CONFLICT|ON DUPLICATE", statement)
        (listed,) = re.findall(r"INSERT INTO jobs_attempt \(([^)]*)\)", inserted)
        assert re.findall(r"\w+", listed) == list(ATTEMPT_COLUMNS)
        again = columns - {"job_id", "fence", "number", "host"}
        assert set(re.findall(r"(?:excluded\.|VALUES\()(\w+)", updated)) == again


def test_it_reads_the_fields_of_an_end_in_their_places():
    by_place = re.findall(r"'\$\[(\d+)\]'\) AS (\w+)", STATEMENTS["FINISH"])
    assert by_place in ([], [(str(place), name) for place, name in enumerate(Finish._fields)])


@pytest.mark.parametrize(
    ("condition", "index", "states"),
    [
        (conditions.DEFERRED, "jobs_job_deferred", DEFERRED),
        (conditions.DONE, "jobs_job_done", FINAL - {State.DEAD}),
    ],
    ids=["deferred", "done"],
)
@pytest.mark.django_db
def test_it_means_by_a_condition_the_states_of_its_index(condition: InPool, index: str, states: set[State]):
    make_jobs({"id": state.value, "state": state} for state in State)
    assert set(Job.objects.filter(condition, pk__in=State.values).values_list("pk", flat=True)) == states
    assert set(LITERAL.findall(condition.literal)) == states == set(INDEXES[index].states)


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
    assert set(INDEXES[index].states) == states


def test_it_has_the_indexes_of_the_models_in_the_database(db):
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, Job._meta.db_table)
    assert set(INDEXES) <= set(constraints)


def test_it_builds_a_statement_only_of_parts_that_are_its_own():
    assert set(re.findall(r"{(\w+)}", "".join(STATEMENTS.values()))) <= planner.PARTS


# What the planner makes of the statements that are really sent, on tables with every kind of job.


@pytest.fixture(scope="module")
def crowd(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), planner.crowd():
        yield


@pytest.fixture
def supervisor(crowd: None, db: None) -> Supervisor:
    """A supervisor that holds a job, among jobs in every state and in two queues."""
    for state in State:
        make_job(id=f"a {state}", state=state, run_at=after(seconds=-9))
        make_job(id=f"b {state}", state=state, queue="mail", kind=Kind.TASK, task="app.tasks.send")
    supervisor = Job.objects.get(pk="a processing").supervisor
    assert supervisor is not None
    return supervisor


def _prune(supervisor: Supervisor) -> None:
    queue.set_knob("retention", 60, queue="mail", now=NOW, by="tests")
    list(queue.prune(policies=queue.load_policies(now=NOW), now=NOW))


def _prune_by_age(supervisor: Supervisor) -> None:
    list(queue.prune(policies=queue.load_policies(now=NOW), now=NOW, older_than_seconds=60))


def _rescue(supervisor: Supervisor) -> None:
    queue.mark_lost(supervisor_id=supervisor.pk, beats=0, now=NOW)
    queue.rescue(supervisor=supervisor, now=NOW)


def _record(supervisor: Supervisor) -> None:
    turns.record(*turns.claim(supervisor, limit=3), outcome=make_outcome())


def _note_running(supervisor: Supervisor) -> None:
    for claim in turns.claim(supervisor, limit=3):
        queue.note_running(claim, pid=1, started_at=NOW, output=Output(), host="h")


# The index that a step must read. What it has in hand it may also find by its id, or among what its supervisor holds.
STEPS: dict[str, tuple[Callable[[Supervisor], object], str]] = {
    "claim": (turns.claim, PENDING),
    "promote": (lambda _: queue.promote(now=NOW), "jobs_job_deferred"),
    "next_due_at": (lambda _: queue.next_due_at(), "jobs_job_deferred"),
    "record": (_record, PENDING),
    "note_running": (_note_running, PENDING),
    "cancels_asked": (lambda each: queue.cancels_asked(supervisor_id=each.pk), PROCESSING),
    "rescue": (_rescue, PROCESSING),
    "gone_with_jobs": (lambda _: queue.gone_with_jobs(), PROCESSING),
    "prune": (_prune, "jobs_job_done"),
    "prune by age": (_prune_by_age, "jobs_job_done"),
    "forget_old": (lambda _: queue.forget_old(now=after(seconds=10**9)), PROCESSING),
    "requeue": (lambda _: queue.requeue(["a dead"], now=NOW), PRIMARY_KEY),
    "cancel": (lambda _: queue.cancel(["a pending", "a processing"], now=NOW), PRIMARY_KEY),
    "delete": (lambda _: queue.delete(["a dead"], now=NOW), PRIMARY_KEY),
}


@pytest.mark.parametrize("step", STEPS)
def test_it_reads_jobs_through_the_index_that_was_made_for_it(step: str, supervisor: Supervisor):
    act, index = STEPS[step]
    with planner.recorded() as steps:
        act(supervisor)
    meant = {index, planner.AS_GOOD_AS.get(index, index)}
    assert meant & {read.index for read, _ in steps}
    others = [(read, statement) for read, statement in steps if read.index not in {*meant, PRIMARY_KEY, PROCESSING}]
    assert others == []
    assert [(read, statement) for read, statement in steps if read.is_whole and read.index == PRIMARY_KEY] == []


def test_it_sorts_nothing_to_find_the_next_job_of_a_queue(supervisor: Supervisor):
    steps = planner.plan_of(*planner.next_of_queue("mail"))
    assert {step.index for step in steps if step.table == Job._meta.db_table} <= {PENDING, PRIMARY_KEY}
    assert [step for step in steps if step.is_sort] == []


def test_it_documents_every_function_of_the_contract_in_the_contract():
    contract = {name for name, _ in inspect.getmembers(sql.Dialect, inspect.isfunction) if not name.startswith("_")}
    missing = {name for name in contract if not callable(getattr(DIALECT, name, None))}
    assert missing == set()
