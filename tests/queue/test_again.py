"""Transactions that the database undid for the sake of another one are made again; nothing else is."""

import pytest
from django.db import OperationalError

from jobs import sql
from jobs.database import atomic, connection
from jobs.queue._again import TRIES, again_after_conflict

DIALECT = sql.for_connection(connection)
CONFLICT = OperationalError("deadlock detected")
FAILURE = OperationalError("out of memory")


@pytest.fixture(autouse=True)
def _conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DIALECT, "is_conflict", lambda error: error is CONFLICT)
    monkeypatch.setattr("jobs.queue._again.PAUSE_SECONDS", 0)


class Work:
    """Fails with each of `errors`, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    @again_after_conflict
    def do(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.mark.django_db(transaction=True)
def test_it_makes_an_undone_transaction_again():
    work = Work(CONFLICT, CONFLICT)
    assert work.do() == "done"
    assert work.calls == 3


@pytest.mark.django_db(transaction=True)
def test_it_gives_up_in_the_end():
    work = Work(*[CONFLICT] * 10)
    with pytest.raises(OperationalError, match="deadlock"):
        work.do()
    assert work.calls == TRIES


@pytest.mark.django_db(transaction=True)
def test_it_does_not_repeat_what_may_have_been_done():
    work = Work(FAILURE)
    with pytest.raises(OperationalError, match="memory"):
        work.do()
    assert work.calls == 1


@pytest.mark.django_db(transaction=True)
def test_it_does_not_repeat_a_part_of_a_transaction_that_is_undone():
    work = Work(CONFLICT)
    with pytest.raises(OperationalError), atomic():
        work.do()
    assert work.calls == 1
