"""`prune`: deleting what is old and done."""

import pytest

from jobs.models import Job
from jobs.states import State
from tests.cli.command import ok, refused
from tests.factories import make_jobs

pytestmark = pytest.mark.django_db


def test_it_deletes_old_jobs_and_never_dead_ones():
    make_jobs({"id": state.value, "state": state} for state in State if state is not State.PROCESSING)
    assert ok("prune") == "2 jobs deleted, past their retention.\n"
    assert set(Job.objects.values_list("state", flat=True)) == {"pending", "scheduled", "failed", "dead"}


def test_it_takes_another_age():
    make_jobs([{"state": State.COMPLETED}])
    assert ok("prune", "--older-than", "3650d") == "0 jobs deleted, older than 3650d.\n"
    assert ok("prune", "--older-than", "0s") == "1 job deleted, older than 0s.\n"


def test_it_refuses_an_age_that_is_none():
    assert "--older-than: must be a duration such as" in refused("prune", "--older-than", "old")
