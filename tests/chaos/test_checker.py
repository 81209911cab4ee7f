"""The checker itself: it has nothing to say of a round in which all went well, and notices whatever is wrong."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos import checker, recovery
from tests.chaos.arena import Event
from tests.chaos.evidence import Evidence, Mark, read_ledger
from tests.chaos.load import BRIEF_QUEUE, Job

STEADY, FROZEN = "steady", "frozen"  # markers of two supervisors
Doctor = Callable[[Evidence], object]


def job(id_: str, **fields: Any) -> Job:
    own = {name: fields.pop(name) for name in ("can_complete", "may_be_cancelled", "is_rolled_back") if name in fields}
    defaults = {"id": id_, "queue": "default", "priority": 0, "command": "true", "max_retries": 2}
    return Job(fields=defaults | {"backoff_base": 2.0, "backoff_max": 0.5} | fields, **own)


def row(planned: Job, **columns: Any) -> dict[str, Any]:
    names = ("id", "queue", "priority", "command", "max_retries")
    defaults = {"task": None, "state": "completed", "attempts": 1, "fence": 1, "exit_code": 0}
    return {name: planned.fields[name] for name in names} | defaults | columns


def attempt(id_: str, fence: int, number: int, outcome: str | None = "completed", **columns: Any) -> dict[str, Any]:
    defaults = {"exit_code": 0, "error": None, "finished_at": outcome and "then"}
    return {"job_id": id_, "fence": fence, "number": number, "outcome": outcome} | defaults | columns


def steps(id_: str, *path: tuple[str | None, str, int]) -> list[dict[str, Any]]:
    return [
        {"seq": place, "job_id": id_, "old": old, "new": new, "fence": fence}
        for place, (old, new, fence) in enumerate(path)
    ]


ONCE: tuple[tuple[str | None, str, int], ...] = (
    (None, "pending", 0),
    ("pending", "processing", 1),
    ("processing", "completed", 1),
)
TWICE: tuple[tuple[str | None, str, int], ...] = (
    *ONCE[:2],
    ("processing", "failed", 1),
    ("failed", "pending", 1),
    ("pending", "processing", 2),
    ("processing", "completed", 2),
)


def good() -> Evidence:
    """A round with a job that was done at once, one that failed first, one that is dead, and one that was pruned."""
    planned = [
        job("quick"),
        job("flaky"),
        job("bad", max_retries=0, can_complete=False),
        job("brief", queue=BRIEF_QUEUE),
        job("undone", is_rolled_back=True),
        job("unasked", may_be_cancelled=True),
    ]
    quick, flaky, bad, *_ = planned
    return Evidence(
        jobs={one.id: one for one in planned},
        acknowledged=frozenset({"quick", "flaky", "bad", "brief"}),
        marks=[
            Mark("S", "quick", 1, 1, STEADY, 11, 10.0),
            Mark("E", "quick", 1, 1, STEADY, 11, 10.5),
            Mark("S", "flaky", 1, 1, STEADY, 12, 10.0),
            Mark("F", "flaky", 1, 1, STEADY, 12, 10.1),
            Mark("S", "flaky", 2, 2, STEADY, 13, 10.7),
            Mark("E", "flaky", 2, 2, STEADY, 13, 10.8),
            Mark("S", "bad", 1, 1, STEADY, 14, 10.0),
            Mark("F", "bad", 1, 1, STEADY, 14, 10.0),
            Mark("S", "brief", 1, 1, STEADY, 15, 10.0),
            Mark("E", "brief", 1, 1, STEADY, 15, 10.0),
        ],
        rows={
            "quick": row(quick),
            "flaky": row(flaky, attempts=2, fence=2),
            "bad": row(bad, state="dead", exit_code=1),
        },
        attempts=[
            attempt("quick", 1, 1),
            attempt("flaky", 1, 1, "failed", exit_code=1),
            attempt("flaky", 2, 2),
            attempt("bad", 1, 1, "failed", exit_code=1),
        ],
        steps=[
            *steps("quick", *ONCE),
            *steps("flaky", *TWICE),
            *steps("bad", *ONCE[:2], ("processing", "dead", 1)),
            *steps("brief", *ONCE),
        ],
        supervisors=[
            {"id": 1, "marker": STEADY, "pid": 1, "host": "here", "lost_at": None, "stopped_at": None},
            {"id": 2, "marker": FROZEN, "pid": 2, "host": "here", "lost_at": None, "stopped_at": None},
        ],
        events=[Event(9.0, "frozen", 2, 12.0)],
    )


def test_it_has_nothing_to_say_of_a_round_in_which_all_went_well():
    assert checker.violations(good()) == {}


def drop_row(id_: str) -> Doctor:
    return lambda evidence: evidence.rows.pop(id_)  # type: ignore[attr-defined]


def change_row(id_: str, **columns: Any) -> Doctor:
    return lambda evidence: evidence.rows[id_].update(columns)  # type: ignore[attr-defined]


def change_attempt(place: int, **columns: Any) -> Doctor:
    return lambda evidence: evidence.attempts[place].update(columns)  # type: ignore[attr-defined]


def add(what: str, *items: Any) -> Doctor:
    return lambda evidence: setattr(evidence, what, [*getattr(evidence, what), *items])


def drop_mark(word: str, id_: str, fence: int = 1) -> Doctor:
    def doctor(evidence: Evidence) -> None:
        evidence.marks = [mark for mark in evidence.marks if (mark.word, mark.job, mark.fence) != (word, id_, fence)]

    return doctor


def move_marks(id_: str, fence: int, seconds: float, **fields: Any) -> Doctor:
    def doctor(evidence: Evidence) -> None:
        evidence.marks = [
            mark._replace(at=mark.at + seconds, **fields) if (mark.job, mark.fence) == (id_, fence) else mark
            for mark in evidence.marks
        ]

    return doctor


def drop_steps(id_: str, place: int) -> Doctor:
    def doctor(evidence: Evidence) -> None:
        evidence.steps = [step for step in evidence.steps if (step["job_id"], step["seq"]) != (id_, place)]

    return doctor


@pytest.mark.parametrize(
    ("rule", "doctor"),
    [
        (checker.every_acknowledged_job_exists, drop_row("quick")),
        (checker.every_acknowledged_job_exists, drop_mark("E", "brief")),
        (checker.every_acknowledged_job_exists, drop_steps("brief", 2)),
        (checker.nothing_exists_that_was_not_asked_for, lambda found: found.jobs.pop("quick")),
        (checker.what_was_rolled_back_never_was, lambda found: found.rows.update(undone=row(found.jobs["undone"]))),
        (checker.what_was_rolled_back_never_was, add("marks", Mark("S", "undone", 1, 1, STEADY, 9, 10.0))),
        (checker.what_was_rolled_back_never_was, add("steps", *steps("undone", *ONCE))),
        (checker.every_job_is_final, change_row("quick", state="processing")),
        (checker.every_job_is_final, change_row("quick", state="failed")),
        (checker.every_job_is_final, change_row("quick", state="cancelled")),
        (checker.no_job_completes_that_cannot, change_row("bad", state="completed")),
        (checker.what_is_stored_is_what_was_asked_for, change_row("quick", command="tru")),
        (checker.what_is_stored_is_what_was_asked_for, change_row("quick", priority=1)),
        (checker.a_completed_job_has_its_end_mark, drop_mark("E", "quick")),
        (checker.a_completed_job_has_its_end_mark, change_row("flaky", fence=1)),
        (checker.a_claim_is_started_once, add("marks", Mark("S", "quick", 1, 1, STEADY, 99, 10.6))),
        (checker.every_start_is_an_attempt, add("marks", Mark("S", "quick", 2, 2, STEADY, 99, 19.0))),
        (checker.every_start_is_an_attempt, change_attempt(0, number=2)),
        (checker.every_attempt_has_ended, change_attempt(0, outcome=None)),
        (checker.every_attempt_has_ended, drop_mark("E", "flaky", 2)),
        (checker.attempts_are_counted, change_row("quick", attempts=2)),
        (checker.attempts_are_counted, change_attempt(2, number=1)),
        (checker.attempts_are_counted, add("attempts", attempt("bad", 2, 2, "failed", exit_code=1))),
        (checker.a_dead_job_has_used_its_attempts, change_row("bad", attempts=0)),
        (checker.states_follow_each_other, drop_steps("quick", 1)),
        (checker.states_follow_each_other, add("steps", {**steps("quick", *ONCE)[2], "seq": 9, "old": "completed"})),
        (checker.states_follow_each_other, change_row("quick", fence=2)),
        (checker.states_follow_each_other, lambda found: found.steps[1].update(fence=2)),
        (checker.no_two_runs_overlap, move_marks("flaky", 1, 0.65)),
        (checker.retries_wait_for_their_backoff, move_marks("flaky", 2, -0.2)),
        (checker.no_process_is_left, add("left_processes", "sleep")),
        (checker.the_database_is_whole, add("damage", "page 7")),
        (checker.nothing_ended_by_itself, add("surprises", "a supervisor")),
    ],
)
def test_it_notices(rule: checker.Rule, doctor: Doctor):
    evidence = good()
    doctor(evidence)
    assert rule.__name__ in checker.violations(evidence)


def test_each_rule_is_shown_to_notice_something():
    (noticing,) = (mark for mark in test_it_notices.pytestmark if mark.name == "parametrize")
    assert {rule for rule, _ in noticing.args[1]} == set(checker.RULES)


def test_runs_may_overlap_while_the_supervisor_of_the_first_is_frozen():
    evidence = good()
    move_marks("flaky", 1, 0.65, supervisor=FROZEN)(evidence)
    assert checker.violations(evidence) == {}


def test_a_retry_may_come_at_once_when_its_supervisor_died():
    evidence = good()
    move_marks("flaky", 2, -0.5)(evidence)
    change_attempt(1, outcome="lost", error="its supervisor (host1:1) died")(evidence)
    assert checker.violations(evidence) == {}


def test_a_job_has_all_its_attempts_again_when_it_was_requeued():
    evidence = good()
    requeued = ("dead", "pending", 1), ("pending", "processing", 2), ("processing", "dead", 2)
    evidence.steps = [*evidence.steps, *({**step, "seq": 9 + step["seq"]} for step in steps("bad", *requeued))]
    add("attempts", attempt("bad", 2, 1, "failed", exit_code=1))(evidence)
    add("marks", Mark("S", "bad", 1, 2, STEADY, 20, 10.2))(evidence)
    change_row("bad", fence=2)(evidence)
    assert checker.violations(evidence) == {}


def test_an_attempt_that_was_given_back_is_not_counted():
    evidence = good()
    change_attempt(1, outcome="released")(evidence)
    change_attempt(2, number=1)(evidence)
    evidence.marks = [mark._replace(attempt=1) for mark in evidence.marks]
    change_row("flaky", attempts=1)(evidence)
    assert checker.violations(evidence) == {}


def test_a_job_that_may_be_cancelled_may_be_so_and_be_pruned():
    evidence = good()
    planned = replace(evidence.jobs["unasked"], fields=evidence.jobs["unasked"].fields | {"queue": BRIEF_QUEUE})
    evidence.jobs = {**evidence.jobs, "unasked": planned}
    evidence.acknowledged |= {"unasked"}
    add("steps", *steps("unasked", (None, "pending", 0), ("pending", "cancelled", 0)))(evidence)
    assert checker.violations(evidence) == {}
    evidence = good()
    evidence.rows = {**evidence.rows, "unasked": row(evidence.jobs["unasked"], state="cancelled", attempts=0, fence=0)}
    add("steps", *steps("unasked", (None, "pending", 0), ("pending", "cancelled", 0)))(evidence)
    assert checker.violations(evidence) == {}


def test_backoff_is_not_judged_by_a_clock_that_jumped():
    evidence = good()
    evidence.is_clock_wrong = True
    move_marks("flaky", 2, -0.5)(evidence)
    assert checker.violations(evidence) == {}


def test_it_reads_a_ledger(tmp_path):
    (tmp_path / "ledger").write_text("S quick 1 1 steady 11 10.00\nE quick 1 1 steady 11 10.50\n")
    assert read_ledger(tmp_path / "ledger") == list(good().marks[:2])


def test_it_measures_how_long_recovery_took():
    evidence = good()
    evidence.events = [Event(10.3, "supervisor", 1), Event(10.0, "lock", None, 10.65)]
    assert recovery.recoveries(evidence) == []  # what it ran had ended
    drop_mark("F", "flaky")(evidence)
    del evidence.runs
    assert recovery.recoveries(evidence) == [0.4]
    assert recovery.longest_resumption(evidence) == 0.05
