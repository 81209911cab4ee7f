"""Holds the ledger against the database. Each rule is a function that yields a line for each violation it finds."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from jobs.states import FINAL, TRANSITIONS, State
from tests.chaos.evidence import Evidence, Run
from tests.chaos.load import BRIEF_QUEUE
from tests.e2e.databases import Row

CLOCK_SECONDS = 0.011  # the kernel tells the time since the boot in hundredths
EXIT_LATER, EXIT_NEVER = 75, 100
NO_ROW: dict[str, object] = {}

Rule = Callable[[Evidence], Iterator[str]]


def every_acknowledged_job_exists(evidence: Evidence) -> Iterator[str]:
    """Or was pruned, where that is allowed, after it was done or cancelled."""
    done = {job for job, _, _ in evidence.ends}
    for id_ in sorted(evidence.acknowledged - set(evidence.rows)):
        steps = evidence.steps_of.get(id_)
        last = steps[-1]["new"] if steps else None
        is_over = last == State.CANCELLED or (last == State.COMPLETED and id_ in done)
        if evidence.jobs[id_].queue != BRIEF_QUEUE or not is_over:
            yield f"{id_} was acknowledged, and is not there; the last that is known of it: {last}"


def nothing_exists_that_was_not_asked_for(evidence: Evidence) -> Iterator[str]:
    for id_ in sorted(set(evidence.rows) - set(evidence.jobs)):
        yield f"{id_} is there, and nobody asked for it"


def what_was_rolled_back_never_was(evidence: Evidence) -> Iterator[str]:
    for id_, job in evidence.jobs.items():
        if job.is_rolled_back and (id_ in evidence.rows or id_ in evidence.runs or id_ in evidence.steps_of):
            yield f"{id_} was rolled back, and was there all the same"


def every_job_is_final(evidence: Evidence) -> Iterator[str]:
    for id_, row in evidence.known_rows.items():
        if row["state"] not in FINAL:
            yield f"{id_} is {row['state']} at the end"
        elif row["state"] == State.CANCELLED and not evidence.jobs[id_].may_be_cancelled:
            yield f"{id_} is cancelled, and nobody asked for that"


def no_job_completes_that_cannot(evidence: Evidence) -> Iterator[str]:
    for id_, row in evidence.known_rows.items():
        if row["state"] == State.COMPLETED and not evidence.jobs[id_].can_complete:
            yield f"{id_} is completed, and always fails"


def what_is_stored_is_what_was_asked_for(evidence: Evidence) -> Iterator[str]:
    for id_, row in evidence.known_rows.items():
        fields = evidence.jobs[id_].fields
        for name in ("command", "task", "queue", "priority", "max_retries"):
            if row[name] != fields.get(name):
                yield f"{id_} has {name} {row[name]!r}, and was enqueued with {fields.get(name)!r}"


def a_completed_job_has_its_end_mark(evidence: Evidence) -> Iterator[str]:
    for id_, row in evidence.known_rows.items():
        if row["state"] == State.COMPLETED and (id_, row["attempts"], row["fence"]) not in evidence.ends:
            yield f"{id_} is completed by attempt {row['attempts']}, fence {row['fence']}, which left no end mark"


def a_claim_is_started_once(evidence: Evidence) -> Iterator[str]:
    starts = Counter((mark.job, mark.fence) for mark in evidence.marks if mark.word == "S")
    for (id_, fence), count in starts.items():
        if count > 1:
            yield f"{id_} was started {count} times with fence {fence}"


def every_start_is_an_attempt(evidence: Evidence) -> Iterator[str]:
    recorded = {(row["job_id"], row["fence"]): row for row in evidence.attempts}
    for mark in evidence.marks:
        if mark.word != "S" or mark.job not in evidence.known_rows:
            continue
        row = recorded.get((mark.job, mark.fence))
        if row is None:
            yield f"{mark.job} ran with fence {mark.fence}, and there is no such attempt"
        elif row["number"] != mark.attempt:
            yield f"{mark.job} ran as attempt {mark.attempt}, and it is recorded as {row['number']}"


def every_attempt_has_ended(evidence: Evidence) -> Iterator[str]:
    for row in evidence.attempts:
        if row["outcome"] is None or row["finished_at"] is None:
            yield f"{row['job_id']} attempt {row['number']} has no outcome"
        elif row["outcome"] == "completed" and (row["job_id"], row["number"], row["fence"]) not in evidence.ends:
            yield f"{row['job_id']} attempt {row['number']} is completed, and left no end mark"


def attempts_are_counted(evidence: Evidence) -> Iterator[str]:
    """Each claim that left a trace has spent one attempt, but those given back; and no job has more than it may."""
    for id_, row in evidence.known_rows.items():
        spent = 0
        attempts = evidence.attempts_of.get(id_, [])
        requeued = _requeued_after(evidence.steps_of.get(id_, []))
        for attempt in attempts:
            if attempt["number"] != spent + 1:
                yield f"{id_} has attempt {attempt['number']} after {spent} were spent"
            spent += 0 if _is_given_back(attempt) else 1
            if spent > evidence.jobs[id_].attempts_max:
                yield f"{id_} has spent {spent} attempts, and has {evidence.jobs[id_].attempts_max}"
            if attempt["fence"] in requeued:
                spent = 0
        if row["attempts"] != spent:
            yield f"{id_} has {row['attempts']} attempts by its row, and {spent} by its history"


def _requeued_after(steps: list[Row]) -> set[int]:
    """Return the fences after which a person gave the job all its attempts again."""
    return {step["fence"] for step in steps if step["old"] in FINAL and step["new"] == State.PENDING}


def _is_given_back(attempt: Row) -> bool:
    asked_for_later = attempt["outcome"] == "failed" and attempt["exit_code"] == EXIT_LATER
    return bool(attempt["outcome"] == "released" or asked_for_later)


def a_dead_job_has_used_its_attempts(evidence: Evidence) -> Iterator[str]:
    for id_, row in evidence.known_rows.items():
        if row["state"] != State.DEAD or row["exit_code"] == EXIT_NEVER:
            continue
        if row["attempts"] != evidence.jobs[id_].attempts_max:
            yield f"{id_} is dead after {row['attempts']} of {evidence.jobs[id_].attempts_max} attempts"


def states_follow_each_other(evidence: Evidence) -> Iterator[str]:
    for id_, steps in evidence.steps_of.items():
        state, fence = None, 0
        for step in steps:
            if step["old"] != state:
                yield f"{id_} went from {step['old']}, and was {state}"
            if step["old"] is not None and State(step["new"]) not in TRANSITIONS[State(step["old"])]:
                yield f"{id_} went from {step['old']} to {step['new']}"
            grows = step["old"] == State.PENDING and step["new"] == State.PROCESSING
            if step["fence"] != fence + (1 if grows else 0):
                yield f"{id_} had fence {fence}, then {step['fence']} as it became {step['new']}"
            state, fence = step["new"], step["fence"]
        row = evidence.rows.get(id_, NO_ROW)
        if row and (row["state"], row["fence"]) != (state, fence):
            yield f"{id_} is {row['state']} with fence {row['fence']}; its last step led to {state} with {fence}"


def no_two_runs_overlap(evidence: Evidence) -> Iterator[str]:
    """Unless the supervisor of the earlier one was frozen meanwhile."""
    for id_, runs in evidence.runs.items():
        for earlier, later in pairwise(runs):
            overlap = earlier.last - later.start
            if overlap <= CLOCK_SECONDS or evidence.was_frozen(earlier.supervisor, earlier.start, earlier.last):
                continue
            yield f"{id_} ran with fence {earlier.fence} for {overlap:.2f} s beside {later.fence}"


def retries_wait_for_their_backoff(evidence: Evidence) -> Iterator[str]:
    """Not after a supervisor's death, when the next attempt may come at once; nor where the clock has jumped."""
    if evidence.is_clock_wrong:
        return
    for id_, runs in evidence.runs.items():
        if id_ not in evidence.known_rows:
            continue
        attempts = {row["fence"]: row for row in evidence.attempts_of.get(id_, [])}
        requeued = _requeued_after(evidence.steps_of.get(id_, []))
        for earlier, later in pairwise(runs):
            between = range(earlier.fence, later.fence)
            if requeued.intersection(between) or earlier.fence not in attempts:
                continue
            wait = _least_wait(evidence, id_, attempts, earlier)
            gap = later.start - earlier.last
            if gap < wait - evidence.backoff_tolerance and not evidence.was_frozen(
                earlier.supervisor, earlier.start, later.start
            ):
                yield f"{id_} ran again {gap:.3f} s after fence {earlier.fence}, and had to wait {wait:.3f} s"


def _least_wait(evidence: Evidence, id_: str, attempts: dict[int, Row], run: Run) -> float:
    row = attempts[run.fence]
    if row["outcome"] not in ("failed", "timed_out", "lost") or "its supervisor (" in (row["error"] or ""):
        return 0.0
    nth = row["number"]
    if _is_given_back(row):
        nth = sum(_is_given_back(other) and other["exit_code"] == EXIT_LATER for other in _until(attempts, run.fence))
    return evidence.jobs[id_].backoff_seconds(nth)


def _until(attempts: dict[int, Row], fence: int) -> list[Row]:
    return [row for number, row in attempts.items() if number <= fence]


def no_process_is_left(evidence: Evidence) -> Iterator[str]:
    yield from (f"left running: {process}" for process in evidence.left_processes)


def the_database_is_whole(evidence: Evidence) -> Iterator[str]:
    yield from (f"the database is damaged: {line}" for line in evidence.damage)


def nothing_ended_by_itself(evidence: Evidence) -> Iterator[str]:
    yield from evidence.surprises


RULES: tuple[Rule, ...] = (
    every_acknowledged_job_exists,
    nothing_exists_that_was_not_asked_for,
    what_was_rolled_back_never_was,
    every_job_is_final,
    no_job_completes_that_cannot,
    what_is_stored_is_what_was_asked_for,
    a_completed_job_has_its_end_mark,
    a_claim_is_started_once,
    every_start_is_an_attempt,
    every_attempt_has_ended,
    attempts_are_counted,
    a_dead_job_has_used_its_attempts,
    states_follow_each_other,
    no_two_runs_overlap,
    retries_wait_for_their_backoff,
    no_process_is_left,
    the_database_is_whole,
    nothing_ended_by_itself,
)
LOSSES = (every_acknowledged_job_exists, every_job_is_final)
DOUBLES = (a_claim_is_started_once, no_two_runs_overlap)


def violations(evidence: Evidence) -> dict[str, list[str]]:
    """Return what each rule that was broken found."""
    found = {rule.__name__: list(rule(evidence)) for rule in RULES}
    return {name: lines for name, lines in found.items() if lines}


def count(found: dict[str, list[str]], rules: tuple[Rule, ...]) -> int:
    return sum(len(found.get(rule.__name__, ())) for rule in rules)
