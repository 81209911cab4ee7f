"""Moving house, into the database the tests run on and out of it: no job is lost, and none runs twice."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from jobs import identities, queue, stats
from jobs.database import atomic
from jobs.models import Attempt, Config, ConfigChange, Counter, Job, Supervisor
from jobs.moving import _comparing, _moving
from jobs.moving._examining import is_unsigned
from jobs.queue import Standing
from jobs.states import Ending, Kind, State
from tests import moving
from tests.clock import NOW, after
from tests.factories import make_job, make_jobs, make_new_job, make_outcome, make_supervisor
from tests.moving import CONFIGURED, House
from tests.queue import turns

pytestmark = pytest.mark.django_db(transaction=True)

LATER = after(seconds=3_600)
Move = Callable[..., Any]


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any) -> Path:
    path = tmp_path_factory.mktemp("house") / "empty.sqlite3"
    with django_db_blocker.unblock():
        moving.build(path)
    return path


@pytest.fixture(scope="session")
def connect(django_db_blocker: Any) -> Callable[[BaseDatabaseWrapper], None]:
    """Return Django's own way to connect; its tests know the databases of the settings only."""
    with django_db_blocker.unblock():
        return BaseDatabaseWrapper.ensure_connection


@pytest.fixture
def file_house(
    connect: Any, transactional_db: None, empty_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", connect)
    path = tmp_path / "queue.sqlite3"
    shutil.copy(empty_file, path)
    with moving.house_in(path) as house:
        yield house


@pytest.fixture(params=["in", "out"])
def houses(request: pytest.FixtureRequest, file_house: House) -> tuple[House, House]:
    return (file_house, CONFIGURED) if request.param == "in" else (CONFIGURED, file_house)


@pytest.fixture
def old(houses: tuple[House, House]) -> House:
    return houses[0]


@pytest.fixture
def new(houses: tuple[House, House]) -> House:
    return houses[1]


@pytest.fixture
def move(old: House, new: House) -> Move:
    """Move from the old house into the new one; return the summary, or the refusal where another code is expected."""

    def run(*words: str, code: int = 0, source: House = old, destination: House = new) -> Any:
        done = destination.run("move", "--from", source.url, "--json", *words)
        assert done.code == code, done
        return done.json if done.out else done.err

    return run


def jobs_in(house: House) -> dict[str, dict[str, Any]]:
    """Return every row without the supervisor, whose id is each database's own."""
    with house.inside():
        return {row["id"]: _without("supervisor_id", row) for row in Job.objects.values()}


def attempts_in(house: House) -> list[dict[str, Any]]:
    with house.inside():
        return [_without("id", row) for row in Attempt.objects.order_by("job", "fence").values()]


def _without(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def states_in(house: House) -> dict[str, str]:
    return {id_: row["state"] for id_, row in jobs_in(house).items()}


def claim_in(house: House) -> set[str]:
    """Do what a worker that is started there does; return the ids of the jobs it gets."""
    with house.inside():
        for gone in queue.gone_with_jobs():
            queue.rescue(supervisor=gone, now=LATER)
        with atomic():
            queue.promote(now=after(seconds=10_000))
        claims = turns.claim(make_supervisor(marker="1" * 32), now=LATER)
        turns.record(*claims, outcome=make_outcome(), now=LATER)
        return {claim.id for claim in claims}


def fill(house: House) -> None:
    """Put in a job of every state, two attempts of each that ran, and values that are hard to keep."""
    with house.inside():
        dead = make_supervisor(lost_at=NOW)
        make_jobs({"id": f"{state}", "state": state, "supervisor": _owner(state, dead)} for state in State)
        make_job(id="task", kind=Kind.TASK, task="app.tasks.send", args=[1.1, None, "é\ud800"], kwargs={"a": {"b": []}})
        queue.enqueue(
            make_new_job(id="Signed", command="echo 'ÿ\n🙂'", env={"A": " x "}, priority=-7, timeout_seconds=0.1 + 0.2),
            now=after(seconds=0.000001),
        )
        Job.objects.filter(pk="failed").update(fence=2**40, attempts=2, run_at=after(seconds=60), max_retries=0)
        for job in Job.objects.filter(fence__gt=0):
            for number in (1, 2):
                is_running = job.state == State.PROCESSING and number == 2
                Attempt.objects.create(
                    job=job,
                    fence=number,
                    number=number,
                    host="host1",
                    started_at=after(seconds=number / 1_000_000),
                    run_seconds=None if is_running else 1 / 3,
                    outcome=None if is_running else Ending.FAILED,
                    output_head=f"{job.pk} ␀ \x1b[31m\r\n\ttab and trailing space \n",
                    output_tail="é" * 70_000,
                    output_dropped_bytes=2**33,
                )


def _owner(state: State, supervisor: Supervisor) -> Supervisor | None:
    return supervisor if state is State.PROCESSING else None


# What is the same afterwards.


def test_it_brings_every_job_as_it_is(old: House, new: House, move: Move):
    fill(old)
    before, attempts_before = jobs_in(old), attempts_in(old)
    summary = move()
    assert jobs_in(new) == before
    assert attempts_in(new) == attempts_before
    assert (summary["same"], summary["differing"], summary["left"]) == (9, 0, 0)
    copied = {state.value: 1 for state in State} | {"pending": 3}
    assert (summary["copied"], summary["there_already"]) == (copied, {})
    assert summary["attempts_copied"] == len(attempts_before) == 8


def test_it_keeps_signatures_valid(old: House, new: House, move: Move):
    fill(old)
    assert move()["unsigned"] == 5  # the factory's; not that of the queue, and not the task
    with new.inside():
        assert not is_unsigned(Job.objects.get(pk="Signed"))


def test_it_leaves_nothing_in_the_old_house_that_may_run(old: House, new: House, move: Move):
    fill(old)
    move()
    assert {id_ for id_, state in states_in(old).items() if state == "completed"} == {"completed"}
    assert set(states_in(old).values()) == {"completed", "cancelled"}
    assert claim_in(old) == set()
    assert claim_in(new) == {"pending", "scheduled", "failed", "processing", "task", "Signed"}
    with old.inside():
        errors = dict(Job.objects.filter(state=State.CANCELLED).exclude(pk="cancelled").values_list("pk", "error"))
        assert set(errors) == {"pending", "scheduled", "failed", "processing", "dead", "task", "Signed"}
        assert {str(error)[:9] for error in errors.values()} == {"moved to "}
        assert Job.objects.get(pk="cancelled").error is None


def test_it_leaves_the_jobs_of_the_new_house_alone(old: House, new: House, move: Move):
    with new.inside():
        make_job(id="own", state=State.PROCESSING)
        before = Job.objects.filter(pk="own").values().get()
    fill(old)
    move()
    with new.inside():
        assert Job.objects.filter(pk="own").values().get() == before


def test_it_brings_more_than_one_batch(old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_moving, "JOBS_PER_BATCH", 7)
    monkeypatch.setattr(_moving, "BATCHES_BETWEEN_RESTS", 2)
    monkeypatch.setattr(_comparing, "JOBS_PER_READ", 10)
    with old.inside():
        make_jobs({"id": f"job{number}"} for number in range(50))
    before = jobs_in(old)
    assert move()["copied"] == {"pending": 50}
    assert jobs_in(new) == before


def test_it_splits_what_is_too_much_for_one_statement(
    old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("jobs.queue._move.INSERT_BYTES", 100)
    monkeypatch.setattr("jobs.queue._move.ATTEMPTS_PER_READ", 3)
    monkeypatch.setattr(_comparing, "ATTEMPTS_PER_READ", 3)
    fill(old)
    before = attempts_in(old)
    move()
    assert attempts_in(new) == before


def test_it_can_move_an_empty_house(move: Move):
    assert move()["same"] == 0


def test_it_says_if_what_it_brought_is_not_what_was_there(
    old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch
):
    def store_wrongly(jobs: list[Job], **options: Any) -> queue.Stored:
        stored = store(jobs, **options)
        Attempt.objects.using(options["destination"]).filter(job="dead", fence=1).update(output_head="another")
        Job.objects.using(options["destination"]).filter(pk="pending").update(priority=1)
        return stored

    store = queue.store
    monkeypatch.setattr(queue, "store", store_wrongly)
    fill(old)
    assert move(code=6)["differing"] == 2


# Death at every moment.


class Killed(BaseException):
    """Nothing catches it; the transactions that are open are undone, as after SIGKILL."""


STEPS = ("lock_next", "store", "leave_behind", "copy_settings", "copy_counters")


def die_at(step: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Die before the call of that number of one of the functions that do the work."""
    calls = 0
    function = getattr(queue, step)

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            raise Killed
        return function(*arguments, **options)

    monkeypatch.setattr(queue, step, counted)


@pytest.mark.parametrize("step", STEPS)
def test_it_can_be_killed_at_any_moment_and_repeated(
    step: str, old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(_moving, "JOBS_PER_BATCH", 2)
    fill(old)
    before, attempts_before = jobs_in(old), attempts_in(old)
    deaths = 0
    while _dies(move, step, deaths + 1, monkeypatch):
        deaths += 1
        assert _nowhere(before, old, new) == []
    assert deaths >= (1 if step.startswith("copy") else 5)
    move()
    assert jobs_in(new) == before
    assert attempts_in(new) == attempts_before
    claimed = claim_in(new)
    assert claimed == {"pending", "scheduled", "failed", "processing", "task", "Signed"}
    assert claim_in(old) == set()


def _dies(move: Move, step: str, number: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    with monkeypatch.context() as dying:
        die_at(step, number, dying)
        try:
            move()
        except Killed:
            return True
    return False


def _nowhere(before: dict[str, Any], old: House, new: House) -> list[str]:
    """Return the jobs that are whole in neither house."""
    here, there = jobs_in(old), jobs_in(new)
    return [id_ for id_, row in before.items() if row not in (here[id_], there.get(id_))]


def test_it_takes_what_went_on_in_the_old_house_after_a_death(
    old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch
):
    """Workers should not have been started there, but they were."""
    with old.inside():
        make_jobs({"id": id_} for id_ in ("ran", "cancelled", "moved"))
    assert _dies(move, "leave_behind", 1, monkeypatch)
    with old.inside():
        Job.objects.filter(pk="ran").update(priority=1)
        turns.record(*turns.claim(make_supervisor(stopped_at=NOW), limit=1), outcome=make_outcome())
        queue.cancel(["cancelled"], now=LATER)
    before = jobs_in(old)
    move()
    after_move = jobs_in(new)
    assert states_in(new) == {"ran": "completed", "cancelled": "cancelled", "moved": "pending"}
    assert after_move == before
    assert claim_in(new) == {"moved"}
    assert claim_in(old) == set()


def test_it_keeps_what_went_on_in_the_new_house_after_a_death(
    old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch
):
    with old.inside():
        make_jobs({"id": id_} for id_ in ("ran", "cancelled", "waits"))
    assert _dies(move, "leave_behind", 1, monkeypatch)
    with new.inside():
        Job.objects.filter(pk="ran").update(priority=1)
        turns.record(*turns.claim(make_supervisor(stopped_at=NOW), limit=1), outcome=make_outcome())
        queue.cancel(["cancelled"], now=LATER)
    before = jobs_in(new)
    summary = move()
    assert (summary["there_already"], summary["gone_on"]) == ({"pending": 3}, 2)
    assert jobs_in(new) == before
    assert claim_in(old) == set()


def test_it_refuses_to_choose_if_a_job_went_on_in_both(
    old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch
):
    with old.inside():
        make_jobs([{}])
    assert _dies(move, "leave_behind", 1, monkeypatch)
    with new.inside():
        turns.record(*turns.claim(make_supervisor(stopped_at=NOW)), outcome=make_outcome())
    with old.inside():
        for _ in range(2):
            turns.record(*turns.claim(make_supervisor(stopped_at=NOW)), outcome=make_outcome(ending=Ending.RELEASED))
    before = jobs_in(old), jobs_in(new)
    assert "job1: gone on in both databases since an earlier move" in move(code=5)
    assert (jobs_in(old), jobs_in(new)) == before


# Repeating, and moving on.


def test_it_brings_what_came_later_when_it_is_repeated(old: House, new: House, move: Move):
    fill(old)
    move()
    with old.inside():
        make_job(id="late")
    summary = move()
    assert (summary["copied"], summary["same"], summary["left"]) == ({"pending": 1}, 10, 0)
    assert claim_in(old) == set()
    assert "late" in claim_in(new)


def after_each_batch(act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something when both transactions of a batch have committed."""

    def count(jobs: list[Job], *rest: Any) -> None:
        original(jobs, *rest)
        if jobs:
            act()

    original = _moving._count
    monkeypatch.setattr(_moving, "_count", count)


def test_it_brings_what_is_enqueued_while_it_works(old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch):
    def enqueue() -> None:
        if late:
            with old.inside():
                make_job(id=late.pop())

    late = ["3", "2", "1"]
    after_each_batch(enqueue, monkeypatch)
    with old.inside():
        make_job(id="5")
    assert move()["copied"] == {"pending": 4}
    assert set(states_in(new)) == {"1", "2", "3", "5"}


def test_it_says_when_jobs_keep_coming(old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch):
    def enqueue() -> None:
        with old.inside():
            queue.enqueue(make_new_job(), now=LATER)

    with old.inside():
        make_job()
    with monkeypatch.context() as patched:
        after_each_batch(enqueue, patched)
        summary = move(code=6)
    assert summary["left"] == 1
    assert summary["same"] == _moving.PASSES_MAX + 1
    assert move()["left"] == 0
    assert claim_in(old) == set()


def test_it_can_move_back(old: House, new: House, move: Move):
    fill(old)
    before, attempts_before = jobs_in(old), attempts_in(old)
    move()
    move(source=new, destination=old)
    assert jobs_in(old) == before
    assert attempts_in(old) == attempts_before
    assert claim_in(new) == set()
    assert claim_in(old) == {"pending", "scheduled", "failed", "processing", "task", "Signed"}


def test_it_does_not_bring_what_was_moved_elsewhere(old: House, new: House, move: Move):
    fill(old)
    move()
    with new.inside():
        Attempt.objects.all().delete()
        Job.objects.all().delete()
    summary = move()
    assert (summary["copied"], summary["missing"]) == ({"completed": 1, "cancelled": 1}, 7)
    assert set(states_in(new)) == {"completed", "cancelled"}


# Who is in the way.


def alive(**fields: Any) -> Supervisor:
    """Store a supervisor whose process, this one, runs."""
    own = identities.own()
    now = timezone.now()
    identity = {"machine": own.machine, "pid": own.pid, "process_started": own.started}
    return make_supervisor(**identity, started_at=now, heartbeat_at=now, **fields)


@pytest.mark.parametrize("place", ["old", "new"])
def test_it_refuses_while_workers_run(place: str, old: House, new: House, move: Move):
    fill(old)
    with (old if place == "old" else new).inside():
        alive(host="host7")
    before = jobs_in(old)
    refusal = move(code=5)
    assert f"workers run on the {'source' if place == 'old' else 'destination'}" in refusal
    assert "host7:" in refusal
    assert "queuectl worker stop" in refusal
    assert (jobs_in(old), jobs_in(new)) == (before, {})


def test_it_takes_a_silent_supervisor_for_alive_until_its_lease_is_over(old: House, move: Move):
    with old.inside():
        late = make_supervisor(machine="elsewhere host", heartbeat_at=timezone.now(), lease_seconds=3_600.0)
        Supervisor.objects.filter(pk=late.pk).update(machine=identities.own().machine.split()[0] + " other")
    assert "workers run on the source" in move(code=5)
    with old.inside():
        Supervisor.objects.update(heartbeat_at=NOW)
    move()
    with old.inside():
        assert Supervisor.objects.get().lost_at is not None


@pytest.mark.parametrize("place", ["old", "new"])
def test_it_stops_when_a_worker_is_started_meanwhile(
    place: str, old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch
):
    def start() -> None:
        with (old if place == "old" else new).inside():
            alive()

    monkeypatch.setattr(_moving, "JOBS_PER_BATCH", 3)
    with monkeypatch.context() as patched:
        after_each_batch(start, patched)
        fill(old)
        before = jobs_in(old)
        assert "a worker was started on the" in move(code=5)
    assert _nowhere(before, old, new) == []
    with (old if place == "old" else new).inside():
        Supervisor.objects.filter(lost_at__isnull=True).update(stopped_at=NOW)
    move()
    assert jobs_in(new) == before


def test_it_lets_the_first_supervisor_take_back_what_a_dead_one_held(old: House, new: House, move: Move):
    with old.inside():
        dead = alive(host="host9")
        make_jobs([{}])
        claims = turns.claim(dead)
        queue.note_running(claims[0], pid=1, started_at=NOW, output=make_outcome().output, host="host9")
        Supervisor.objects.update(process_started="another", marker="f" * 32)
    move()
    with new.inside():
        (gone,) = queue.gone_with_jobs()
        assert (gone.host, gone.lost_at is not None) == ("host9", True)
        (recorded,) = queue.rescue(supervisor=gone, now=LATER)
        job, attempt = Job.objects.get(), Attempt.objects.get()
        assert (recorded.state, job.attempts, job.run_at) == (State.FAILED, 1, LATER)
        assert (attempt.outcome, attempt.output_head, attempt.pid) == (Ending.LOST, "printed\n", 1)
    with old.inside():
        assert turns.record(*claims, outcome=make_outcome()) == []  # should it wake up after all


def test_it_copies_a_dead_supervisor_once(old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_moving, "JOBS_PER_BATCH", 1)
    with old.inside():
        dead, stopped = make_supervisor(lost_at=NOW), make_supervisor(stopped_at=NOW, pid=5)
        make_jobs({"id": id_, "state": State.PROCESSING, "supervisor": dead} for id_ in "abc")
        make_job(id="d", state=State.PROCESSING, supervisor=stopped)
    assert _dies(move, "leave_behind", 2, monkeypatch)
    move()
    with new.inside():
        assert Supervisor.objects.filter(lost_at=NOW, stopped_at=None).count() == 1
        assert Supervisor.objects.filter(lost_at=None, stopped_at=NOW).count() == 1
    assert claim_in(new) == set("abcd")


def test_it_refuses_an_id_that_belongs_to_another_job(old: House, new: House, move: Move):
    with new.inside():
        make_jobs({"id": id_, "command": "other"} for id_ in ("pending", "completed", "dead", "task"))
        before = jobs_in(new)
    fill(old)
    old_before = jobs_in(old)
    refusal = move(code=5)
    assert "completed, dead, pending and others: the destination has another job of the same id" in refusal
    assert (jobs_in(new), jobs_in(old)) == (before, old_before)


def test_it_refuses_an_id_that_is_taken_at_the_last_moment(
    old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch
):
    def examine_late(*arguments: Any) -> Any:
        found = examine(*arguments)
        with new.inside():
            make_job(id="dead", command="other")
        return found

    from jobs import moving as subject

    examine = subject.examine
    monkeypatch.setattr(subject, "examine", examine_late)
    fill(old)
    before = jobs_in(old)
    assert "dead: the destination has another job" in move(code=5)
    assert jobs_in(old) == before


def test_it_refuses_to_move_onto_itself(old: House, move: Move, monkeypatch: pytest.MonkeyPatch):
    fill(old)
    before = jobs_in(old)
    assert "is the configured database itself" in move(code=2, destination=old)
    monkeypatch.setattr("jobs.moving._places._is_same_by_name", lambda _route: False)
    assert "under another name; nothing was changed" in move(code=2, destination=old)
    assert jobs_in(old) == before
    with old.inside():
        assert not Counter.objects.exists()


# Settings and statistics.


def test_it_brings_settings_and_pauses_unless_the_new_house_has_its_own(old: House, new: House, move: Move):
    with old.inside():
        queue.set_knob("max_retries", 7, now=NOW, by="there")
        queue.set_knob("timeout", 60, queue="mail", now=NOW, by="there")
        queue.set_knob("jitter", 0.1, queue="same", now=NOW, by="there")
        queue.pause("slow", now=NOW, until=LATER, reason="é", by="there")
    with new.inside():
        queue.set_knob("timeout", 90, queue="mail", now=NOW, by="here")
        queue.set_knob("jitter", 0.1, queue="same", now=NOW, by="here")
    summary = move()
    assert move()["settings_copied"] == []
    assert (summary["settings_copied"], summary["settings_kept"]) == (["*", "slow"], ["mail"])
    with new.inside():
        found = {row.queue: row for row in Config.objects.all()}
        owner = stats.pauses(now=NOW)["slow"].by
        changes = sorted(ConfigChange.objects.values_list("queue", "changed_by"))
    assert owner == "there"
    assert changes == [("*", "there"), ("mail", "here"), ("same", "here"), ("slow", "there")]
    assert (found["*"].max_retries, found["mail"].timeout, found["same"].jitter) == (7, 90.0, 0.1)
    assert (found["slow"].paused_at, found["slow"].paused_until, found["slow"].paused_reason) == (NOW, LATER, "é")


def test_it_brings_counters_once(old: House, new: House, move: Move, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_moving, "COUNTERS_PER_BATCH", 2)
    minute = NOW.replace(second=0)
    with old.inside():
        for writer in range(5):
            Counter.objects.create(minute=minute, queue="q", writer=writer, completed=1, run_histogram=[writer, 1])
    with new.inside():
        Counter.objects.create(minute=minute, queue="q", writer=3, completed=9)
    assert move()["counters_copied"] == 4
    assert move()["counters_copied"] == 0
    with new.inside():
        found = {row.writer: (row.completed, row.run_histogram) for row in Counter.objects.all()}
    assert found == {writer: (1, [writer, 1]) for writer in (0, 1, 2, 4)} | {3: (9, [])}


def test_it_only_looks_when_it_is_told_to(old: House, new: House, move: Move):
    fill(old)
    with old.inside():
        Supervisor.objects.update(lost_at=None)
        before = list(Supervisor.objects.values())
    rows = jobs_in(old)
    summary = move("--dry-run")
    assert (summary["dry_run"], summary["jobs"]["pending"], summary["unsigned"]) == (True, 3, 5)
    with old.inside():
        assert list(Supervisor.objects.values()) == before
    assert (jobs_in(old), jobs_in(new)) == (rows, {})


# Which of two is newer.


def job(state: State, **fields: Any) -> Job:
    defaults = {"id": "job1", "kind": Kind.SHELL, "command": "true", "run_at": NOW, "enqueued_at": NOW}
    return Job(**(defaults | {"state": state} | fields))


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        (job(State.PENDING), None, Standing.MISSING),
        (job(State.PENDING), job(State.PENDING), Standing.THERE),
        (job(State.PENDING), job(State.PENDING, command="false"), Standing.ANOTHER),
        (job(State.PENDING), job(State.PENDING, enqueued_at=LATER), Standing.ANOTHER),
        (job(State.PENDING), job(State.PENDING, queue="other", priority=3), Standing.THERE),
        # Moved back.
        (job(State.PENDING), job(State.CANCELLED, error="moved to x"), Standing.STALE),
        (job(State.PENDING), job(State.CANCELLED, error="moved to x", enqueued_at=LATER), Standing.STALE),
        # The higher fence has run since.
        (job(State.PENDING), job(State.COMPLETED, fence=1), Standing.THERE),
        (job(State.COMPLETED, fence=1), job(State.PENDING), Standing.STALE),
        (job(State.COMPLETED, fence=1), job(State.PROCESSING), Standing.STALE),
        (job(State.FAILED, fence=2), job(State.FAILED, fence=1), Standing.STALE),
        (job(State.DEAD, fence=2), job(State.COMPLETED, fence=1), Standing.STALE),
        (job(State.FAILED, fence=2), job(State.COMPLETED, fence=1), Standing.APART),
        # Promoted.
        (job(State.SCHEDULED), job(State.PENDING), Standing.THERE),
        (job(State.PENDING), job(State.SCHEDULED), Standing.THERE),
        # Rescued.
        (job(State.PROCESSING, fence=1), job(State.FAILED, fence=1), Standing.THERE),
        (job(State.FAILED, fence=1), job(State.PROCESSING, fence=1), Standing.STALE),
        # Cancelled.
        (job(State.PENDING), job(State.CANCELLED), Standing.THERE),
        (job(State.CANCELLED), job(State.PENDING), Standing.STALE),
        # Requeued.
        (job(State.PENDING, fence=1, run_at=LATER), job(State.COMPLETED, fence=1), Standing.STALE),
        (job(State.COMPLETED, fence=1), job(State.PENDING, fence=1, run_at=LATER), Standing.THERE),
        (job(State.CANCELLED), job(State.PENDING, run_at=LATER), Standing.THERE),
        (job(State.DEAD, fence=1), job(State.PENDING, fence=1, run_at=LATER), Standing.THERE),
    ],
)
def test_it_knows_which_of_two_is_newer(here: Job, there: Job | None, expected: Standing):
    assert queue.standing(here, there) is expected
