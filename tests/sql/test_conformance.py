"""What every database module does, asked of the one that is configured."""

import functools
import json
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

from jobs import queue, sql
from jobs.errors import DatabaseUnavailable
from jobs.models import Attempt, Job, Supervisor
from jobs.outcome import Claim, storable
from jobs.sql import rows
from jobs.sql.rows import ATTEMPT_COLUMNS, Finish, QueueSettings
from jobs.states import Ending, Kind, State
from tests.clock import NOW, after
from tests.factories import make_job, make_jobs, make_supervisor
from tests.queue.racing import impatience, race
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

DIALECT = sql.for_connection(connection)


def _claim(supervisor: Supervisor, *, queues=("default",), limit: int = 100) -> list[Claim]:
    with transaction.atomic():
        taken = DIALECT.claim(connection, queues=queues, limit=limit, supervisor_id=supervisor.pk, now=NOW)
    return rows.claims(
        taken,
        zone=connection.timezone,
        supervisor_id=supervisor.pk,
        now=NOW,
        settings=lambda _: QueueSettings(None, 3),
    )


def _finish(*finishes: Finish, attempts: Sequence[tuple[Any, ...] | None] = ()) -> dict[str, State]:
    with transaction.atomic():
        return DIALECT.finish(connection, finishes, attempts or [None] * len(finishes))


def _end(**fields: Any) -> Finish:
    """The end of the first claim of `job1`, for whoever holds it: it completed."""
    job = Job.objects.filter(pk=fields.get("id", "job1")).first()
    defaults: dict[str, Any] = {
        "supervisor_id": (job and job.supervisor_id) or 0,
        "id": "job1",
        "fence": 1,
        "state": State.COMPLETED,
        "state_if_cancelled": State.CANCELLED,
        "outcome": Ending.COMPLETED,
        "exit_code": 0,
        "error": None,
        "return_value": None,
        "started_at": after(seconds=1),
        "ended_at": after(seconds=2),
        "run_at": None,
        "refund": 0,
        "postponed": 0,
    }
    return Finish(**(defaults | fields))


def _attempt(**fields: Any) -> tuple[Any, ...]:
    values = dict.fromkeys(ATTEMPT_COLUMNS) | {"job_id": "job1", "fence": 1, "number": 1, "host": "h"}
    values |= {"started_at": NOW, "output_head": "", "output_tail": "", "output_dropped_bytes": 0} | fields
    return tuple(values[name] for name in ATTEMPT_COLUMNS)


# pending_queues


def test_it_names_the_queues_with_pending_jobs_once_each():
    for name in ("mail", "images", "mail", "Mail", "ä"):
        make_job(id=f"{name} {Job.objects.count()}", queue=name)
    for state in set(State) - {State.PENDING}:
        make_job(id=state.value, queue=f"only {state}", state=state)
    assert sorted(DIALECT.pending_queues(connection)) == ["Mail", "images", "mail", "ä"]


def test_it_names_no_queue_where_nothing_is_pending():
    assert DIALECT.pending_queues(connection) == []


def test_it_names_more_queues_than_a_statement_takes_parameters():
    make_jobs({"id": f"{number}", "queue": f"queue{number:04}"} for number in range(1_200))
    assert DIALECT.pending_queues(connection) == [f"queue{number:04}" for number in range(1_200)]


# claim


def test_it_claims_in_order_of_priority_then_run_at_then_id():
    make_job(id="d", priority=-1, run_at=after(seconds=-9))
    make_job(id="c", run_at=after(seconds=-0.5))
    make_job(id="b", queue="mail")
    make_job(id="a")
    make_job(id="e", queue="mail", priority=1)
    claims = _claim(make_supervisor(), queues=("mail", "default"))
    assert [claim.id for claim in claims] == ["e", "c", "a", "b", "d"]


def test_it_claims_to_the_microsecond():
    moments = [after(seconds=0), after(seconds=0.000_001), after(seconds=0.5), after(seconds=1)]
    for id_, moment in zip("dcba", moments, strict=True):
        make_job(id=id_, run_at=moment, enqueued_at=moment)
    claims = _claim(make_supervisor())
    assert [claim.id for claim in claims] == ["d", "c", "b", "a"]
    assert [claim.run_at for claim in claims] == [claim.enqueued_at for claim in claims] == moments


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the database keep times as they are in Tokyo, as other programs that read it may want."""

    def obey() -> None:
        for name in ("timezone", "timezone_name"):
            vars(connections[connection.alias]).pop(name, None)
        connection.ensure_timezone()

    monkeypatch.setitem(connection.settings_dict, "TIME_ZONE", "Asia/Tokyo")
    obey()
    yield
    monkeypatch.undo()
    obey()


@pytest.mark.usefixtures("in_tokyo")
def test_it_reads_times_in_the_zone_of_the_database():
    make_job(run_at=NOW, enqueued_at=after(seconds=-1))
    (claim,) = queue.claim(
        supervisor_id=make_supervisor().pk, queues=None, limit=1, policies=queue.load_policies(now=NOW), now=NOW
    )
    assert (claim.run_at, claim.enqueued_at) == (NOW, after(seconds=-1))


def test_it_claims_at_most_the_limit_over_all_queues():
    make_jobs({"id": f"{number}", "queue": f"queue{number % 3}"} for number in range(9))
    assert [claim.id for claim in _claim(make_supervisor(), queues=("queue0", "queue1"), limit=4)] == [
        "0",
        "1",
        "3",
        "4",
    ]
    assert Job.objects.filter(state=State.PROCESSING).count() == 4


def test_it_claims_only_pending_jobs():
    make_jobs({"id": state.value, "state": state, "run_at": NOW} for state in State)
    assert [claim.id for claim in _claim(make_supervisor())] == ["pending"]


def test_it_writes_who_holds_a_job_since_when():
    supervisor = make_supervisor()
    make_job(fence=4, attempts=1, started_at=NOW)
    (claim,) = _claim(supervisor)
    job = Job.objects.get()
    assert (claim.fence, claim.attempt) == (job.fence, job.attempts) == (5, 2)
    assert (job.state, job.supervisor, job.claimed_at, job.started_at) == (State.PROCESSING, supervisor, NOW, None)


@pytest.mark.parametrize("value", [None, {}, {"a": "é", "b": ""}])
def test_it_returns_json_as_it_was_stored(value: Any):
    make_job(id="shell", env=value)
    make_job(id="task", kind=Kind.TASK, task="a.b", args=[value, 1.5, True, "\u2028"], kwargs={"deep": [value]})
    shell, task = _claim(make_supervisor())
    assert (shell.kind, shell.env, shell.args) == (Kind.SHELL, value, [])
    assert (task.kind, task.args, task.kwargs) == (Kind.TASK, [value, 1.5, True, "\u2028"], {"deep": [value]})


@pytest.mark.parametrize("uses_shell", [True, False])
def test_it_returns_booleans_as_booleans(uses_shell: bool):
    make_job(uses_shell=uses_shell)
    (claim,) = _claim(make_supervisor())
    assert claim.uses_shell is uses_shell


def test_it_returns_claims_that_can_cross_a_pipe():
    make_job(env={"A": "1"}, timeout_seconds=1.5, max_retries=2)
    (claim,) = _claim(make_supervisor())
    assert Claim.from_wire(json.loads(json.dumps(claim.to_wire()))) == claim


def test_it_keeps_the_order_of_all_queues_when_it_takes_a_few():
    make_jobs(
        {"id": f"{n:03}", "queue": f"queue{n % 3}", "priority": n % 5, "run_at": after(seconds=n % 7)}
        for n in range(60)
    )
    order = list(Job.objects.order_by("-priority", "run_at", "id").values_list("pk", flat=True))
    supervisor, claimed = make_supervisor(), []
    for _ in range(12):
        claimed += [claim.id for claim in _claim(supervisor, queues=("queue2", "queue0", "queue1"), limit=5)]
    assert claimed == order


def test_it_leaves_the_jobs_of_queues_that_it_was_not_given():
    make_jobs(
        {"id": f"{n}", "queue": queue, "priority": n} for n, queue in enumerate(("mail", "Mail", "mail ", "images"))
    )
    assert [claim.id for claim in _claim(make_supervisor(), queues=("mail",), limit=9)] == ["0"]


def test_it_compares_names_byte_for_byte():
    names = ["Job1", "job1", "job1 ", "JOB1", "\u00e9", "e\u0301", "ss", "\u00df", "a", "\u00e4"]
    make_jobs({"id": name, "queue": name} for name in names)
    assert [Job.objects.get(pk=name).pk for name in names] == names
    assert sorted(DIALECT.pending_queues(connection)) == sorted(names)
    for name in names:
        assert [claim.id for claim in _claim(make_supervisor(marker=name), queues=(name,))] == [name]


def test_it_orders_ids_by_their_code_points():
    ids = ["B", "a", "\u00e4", "b", "z", "_", "1", "\U0001f600", "\uffee"]
    make_jobs({"id": id_} for id_ in ids)
    assert [claim.id for claim in _claim(make_supervisor())] == sorted(ids)


@pytest.mark.django_db(transaction=True)
def test_it_never_gives_one_job_to_two_who_claim_at_once():
    make_jobs({"id": f"{n:03}", "queue": f"queue{n % 2}"} for n in range(200))
    supervisors = [make_supervisor(marker=f"{n}") for n in range(4)]

    def take(supervisor: Supervisor) -> list[str]:
        taken: list[str] = []
        while Job.objects.filter(state=State.PENDING).exists():
            taken += [claim.id for claim in _claim_patiently(supervisor)]
        return taken

    taken = race(*(functools.partial(take, supervisor) for supervisor in supervisors))

    assert sorted(id_ for each in taken for id_ in each) == [f"{n:03}" for n in range(200)]
    for supervisor, ids in zip(supervisors, taken, strict=True):
        assert set(Job.objects.filter(supervisor=supervisor).values_list("pk", flat=True)) == set(ids)


def _claim_patiently(supervisor: Supervisor) -> list[Claim]:
    """Claim, and try again where another one was in the way, as a supervisor does."""
    while True:
        try:
            return _claim(supervisor, queues=("queue0", "queue1"), limit=7)
        except DatabaseError as error:
            if not DIALECT.is_busy(error):
                raise


@pytest.mark.django_db(transaction=True)
def test_it_does_not_wait_for_what_another_is_claiming():
    make_jobs({"id": f"{n}"} for n in range(6))
    first, second = make_supervisor(marker="1"), make_supervisor(marker="2")

    def claim_meanwhile() -> list[str] | None:
        try:
            return [claim.id for claim in _claim(second)]
        except DatabaseError as error:
            if not DIALECT.is_busy(error):
                raise
            return None

    with impatience(), transaction.atomic():
        held = DIALECT.claim(connection, queues=["default"], limit=2, supervisor_id=first.pk, now=NOW)
        (found,) = race(claim_meanwhile)

    assert sorted(row[0] for row in held) == ["0", "1"]
    assert found == (None if DIALECT.IS_LOCAL else ["2", "3", "4", "5"])


# finish


@pytest.fixture
def held() -> Job:
    return make_job(state=State.PROCESSING, claimed_at=NOW)


def test_it_finishes_a_claim(held: Job):
    assert _finish(_end()) == {"job1": State.COMPLETED}
    job = Job.objects.get()
    assert (job.state, job.outcome, job.exit_code, job.error) == (State.COMPLETED, Ending.COMPLETED, 0, None)
    assert (job.started_at, job.finished_at, job.run_at) == (after(seconds=1), after(seconds=2), NOW)
    assert (job.supervisor_id, job.attempts, job.postponements) == (None, 1, 0)


def test_it_stores_what_a_task_returned(held: Job):
    _finish(_end(return_value='{"é\\u0000": [1, null]}'))
    assert Job.objects.get().return_value == {"é\0": [1, None]}


@pytest.mark.parametrize("state", [State.COMPLETED, State.DEAD, State.CANCELLED, State.FAILED, State.PENDING])
def test_it_dates_only_the_end_of_final_jobs(state: State, held: Job):
    _finish(_end(state=state))
    job = Job.objects.get()
    is_final = state in {State.COMPLETED, State.DEAD, State.CANCELLED}
    assert (job.state, job.finished_at) == (state, after(seconds=2) if is_final else None)


def test_it_writes_the_time_of_a_retry_and_what_is_given_back(held: Job):
    _finish(_end(state=State.FAILED, run_at=after(seconds=8.000_001), refund=1, postponed=1))
    job = Job.objects.get()
    assert (job.run_at, job.attempts, job.postponements, job.fence) == (after(seconds=8.000_001), 0, 1, 1)


def test_it_leaves_how_the_attempt_before_it_ended_where_none_was_made(held: Job):
    Job.objects.update(outcome=Ending.FAILED, exit_code=7, error="exit code 7")
    _finish(_end(state=State.PENDING, outcome=None, exit_code=None, error=None, started_at=None, refund=1))
    job = Job.objects.get()
    assert (job.outcome, job.exit_code, job.error, job.attempts) == (Ending.FAILED, 7, "exit code 7", 0)


@pytest.mark.parametrize("state", [State.FAILED, State.DEAD, State.PENDING, State.CANCELLED])
def test_it_uses_the_other_state_if_a_person_asked_to_cancel(state: State, held: Job):
    Job.objects.update(cancel_requested_at=NOW)
    assert _finish(_end(state=state)) == {"job1": State.CANCELLED}
    assert Job.objects.get().finished_at == after(seconds=2)


@pytest.mark.parametrize("fields", [{"fence": 0}, {"fence": 2}, {"id": "JOB1"}, {"id": "nobody"}])
def test_it_matches_both_id_and_fence(fields: dict[str, Any], held: Job):
    before = Job.objects.values().get()
    assert _finish(_end(**fields)) == {}
    assert Job.objects.values().get() == before


@pytest.mark.parametrize("state", sorted(set(State) - {State.PROCESSING}))
def test_it_finishes_only_what_is_held(state: State):
    make_job(state=state, fence=1)
    before = Job.objects.values().get()
    assert _finish(_end()) == {}
    assert Job.objects.values().get() == before


def test_it_finishes_a_thousand_at_once():
    supervisor = make_supervisor()
    make_jobs({"id": f"{n:04}", "state": State.PROCESSING, "supervisor": supervisor} for n in range(1_000))
    ends = [_end(id=f"{n:04}", fence=1 + n % 2, exit_code=n) for n in range(1_000)]
    assert set(_finish(*ends)) == {f"{n:04}" for n in range(0, 1_000, 2)}
    assert Job.objects.filter(state=State.PROCESSING).count() == 500


@pytest.mark.parametrize("exit_code", [None, -9, 0, 255, 2**31 - 1])
def test_it_stores_any_exit_code(exit_code: int | None, held: Job):
    _finish(_end(exit_code=exit_code))
    assert Job.objects.get().exit_code == exit_code


def test_it_writes_the_attempt_with_its_end_over_the_row_of_its_running_self(held: Job):
    DIALECT.record_attempts(connection, [_attempt(pid=1, output_head="so far")])
    ended = {"finished_at": after(seconds=2), "run_seconds": 1.5, "outcome": "failed", "exit_code": 1, "error": "e"}
    shown = {"traceback": "t", "exception_class": "a.B", "progress": 0.5, "progress_message": "half", "pid": 2}
    printed = {"output_head": "all", "output_tail": "é", "output_dropped_bytes": 2**40}
    end = _end(state=State.DEAD, outcome=Ending.FAILED, exit_code=1, error="e", started_at=NOW)
    _finish(end, attempts=[_attempt(**ended, **shown, **printed)])
    attempt = Attempt.objects.get()
    assert {name: getattr(attempt, name) for name in ended | shown | printed} == ended | shown | printed
    assert (attempt.job_id, attempt.number, attempt.host, attempt.started_at) == ("job1", 1, "h", NOW)


def test_it_writes_no_attempt_of_a_claim_that_is_not_held_any_more_or_made_none():
    supervisor = make_supervisor()
    make_jobs({"id": id_, "state": State.PROCESSING, "supervisor": supervisor} for id_ in ("held", "lost", "unstarted"))
    ends = [_end(id="held"), _end(id="lost", fence=9), _end(id="unstarted", state=State.PENDING, outcome=None)]
    attempts = [_attempt(job_id="held", outcome="completed"), _attempt(job_id="lost", fence=9), None]
    assert set(_finish(*ends, attempts=attempts)) == {"held", "unstarted"}
    assert list(Attempt.objects.values_list("job", "outcome")) == [("held", "completed")]


# record_attempts


def test_it_writes_attempts_and_writes_over_those_that_run(held: Job):
    DIALECT.record_attempts(connection, [_attempt(pid=1, output_head="so far")])
    ended = {"finished_at": after(seconds=1.5), "run_seconds": 1.5, "outcome": "failed", "exit_code": 1, "error": "e"}
    printed = {"traceback": "t", "output_head": "all", "output_tail": "é", "output_dropped_bytes": 2**40}
    DIALECT.record_attempts(connection, [_attempt(pid=2, **ended, **printed), _attempt(fence=2, number=2)])
    first, second = Attempt.objects.order_by("fence")
    assert {name: getattr(first, name) for name in ended | printed} == ended | printed
    assert (first.pid, first.started_at) == (2, NOW)
    assert (second.number, second.outcome, second.finished_at) == (2, None, None)


def test_it_writes_no_attempts():
    DIALECT.record_attempts(connection, [])
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("field", ["error", "traceback", "output_head", "output_tail"])
def test_it_stores_every_character_that_a_job_may_print(field: str, held: Job):
    text = storable("".join(map(chr, range(256))) + "\u2028\ufeff\ufffd\U0001f600\U0010ffff" + "\ud800")
    DIALECT.record_attempts(connection, [_attempt(**{field: text})])
    assert getattr(Attempt.objects.get(), field) == text
    Attempt.objects.all().delete()
    _finish(_end(error=text), attempts=[_attempt(**{field: text})])
    assert getattr(Attempt.objects.get(), field) == text


def test_it_stores_every_character_of_an_error(held: Job):
    text = storable("".join(map(chr, range(256))) + "\U0001f600\ud800 100% %s {} ' \\")
    _finish(_end(state=State.DEAD, error=text))
    assert Job.objects.get().error == text


# waker


@pytest.mark.django_db(transaction=True)
def test_it_learns_of_a_job_that_another_connection_commits():
    def enqueue() -> None:
        make_job()
        DIALECT.announce(connection, "default")

    waker = DIALECT.waker(connection)
    try:
        race(enqueue)
        wait_until(waker.has_news)
    finally:
        waker.close()


# explain and limit_wait


def _error(statement: str, params: Any = ()) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, params)
    return caught.value


def test_it_explains_a_database_without_tables():
    explained = DIALECT.explain(connection, _error("SELECT 1 FROM jobs_no_table"))
    assert isinstance(explained, DatabaseUnavailable)
    assert str(connection.settings_dict["NAME"]) in str(explained)
    assert "initdb" in str(explained)


def test_it_names_a_database_without_user_and_password():
    place = {"NAME": "queue", "HOST": "db.example", "PORT": 5432, "USER": "me", "PASSWORD": "secret"}
    server: Any = SimpleNamespace(vendor="postgresql", settings_dict=place)
    assert sql.address(server) == "postgresql://db.example:5432/queue"


def test_it_explains_a_database_that_is_older_than_the_code():
    explained = DIALECT.explain(connection, _error("SELECT no_column FROM jobs_job"))
    assert isinstance(explained, DatabaseUnavailable)
    assert "initdb" in str(explained)


@pytest.mark.parametrize(
    "statement", ["SELEC 1", "UPDATE jobs_job SET priority = 1000", "UPDATE jobs_job SET kind = 'x'"]
)
def test_it_does_not_take_a_bug_for_a_busy_database(statement: str):
    make_job()
    assert DIALECT.explain(connection, _error(statement)) is None


def test_it_does_not_take_a_users_words_for_those_of_the_database():
    # A constraint's message may quote what was stored; here the text of a user is in the statement.
    make_job()
    assert DIALECT.explain(connection, _error("UPDATE jobs_job SET command = NULL, cwd = 'database is locked'")) is None


@pytest.fixture
def _locked_job(transactional_db) -> Iterator[None]:
    """A job that this connection's transaction holds, and connections that do not wait long for it."""
    make_job()
    with impatience(), transaction.atomic():
        Job.objects.update(priority=1)
        yield


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_locked_job")
def test_it_waits_no_longer_than_it_may_and_explains_a_busy_database():
    def explain() -> DatabaseUnavailable | None:
        try:
            Job.objects.update(priority=2)
        except DatabaseError as error:
            return DIALECT.explain(connection, error)
        return None

    (explained,) = race(explain)
    assert isinstance(explained, DatabaseUnavailable)
    assert "busy" in str(explained)


# facts and check


def test_it_knows_what_it_is():
    facts = DIALECT.facts(connection)
    assert facts["product"]
    assert all(isinstance(value, str) for value in facts.values())


def test_it_finds_the_database_that_the_tests_use():
    DIALECT.check(connection)
