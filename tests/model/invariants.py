"""What must hold from one step to the next, whatever the rules are: said of the tables alone, without the model."""

from collections.abc import Mapping

from jobs.states import FINAL, State
from tests.model.rows import JobRow

BY_PEOPLE = {"verb", "verb_on_all", "change_and_requeue", "undoable_verb", "undo"}
REMOVING = {"verb", "verb_on_all", "prune"}

Jobs = Mapping[str, JobRow]


def check(operation: str, before: Jobs, after: Jobs) -> None:
    if operation not in REMOVING:
        assert before.keys() <= after.keys(), "a job was lost"
    for id_, row in after.items():
        _check_row(row)
        if id_ in before:
            _check_step(operation, before[id_], row)


def _check_row(row: JobRow) -> None:
    assert (row.state is State.PROCESSING) == (row.owner is not None)
    assert (row.state in FINAL) == (row.finished_at is not None)
    assert 0 <= row.attempts <= row.fence


def _check_step(operation: str, before: JobRow, after: JobRow) -> None:
    assert 0 <= after.fence - before.fence <= 1, "a fence went back, or a job was claimed twice in one step"
    if before.state in FINAL and operation not in BY_PEOPLE:
        assert after == before, "what was final has changed"
    if before.fence < after.fence:
        assert operation == "turn"
        assert after.state is State.PROCESSING
