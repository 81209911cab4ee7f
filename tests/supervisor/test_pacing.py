"""How many jobs a thread may hold, from measured run times."""

import pytest

from jobs.supervisor.pacing import AHEAD_MAX_JOBS, Pace


def _pace(run_seconds: float, jobs: int = 200) -> Pace:
    pace = Pace()
    for _ in range(jobs):
        pace.note(run_seconds)
    return pace


def test_it_claims_nothing_ahead_before_a_job_has_run():
    assert Pace().jobs_per_thread() == 1


@pytest.mark.parametrize("run_seconds", [0.05, 1.0, 86_400.0])
def test_it_claims_nothing_ahead_of_long_jobs(run_seconds: float):
    assert _pace(run_seconds).jobs_per_thread() == 1


@pytest.mark.parametrize("run_seconds", [0.0005, 0.001, 0.005])
def test_it_claims_twenty_to_fifty_milliseconds_of_work_ahead(run_seconds: float):
    ahead = _pace(run_seconds).jobs_per_thread() - 1
    assert 0.02 <= ahead * run_seconds <= 0.05


@pytest.mark.parametrize("run_seconds", [0.0, 1e-9, -1.0])
def test_it_bounds_what_it_claims_of_jobs_that_take_no_time(run_seconds: float):
    assert _pace(run_seconds).jobs_per_thread() == 1 + AHEAD_MAX_JOBS


def test_it_needs_more_than_one_short_job_to_believe_that_jobs_are_short():
    assert _pace(0.0, jobs=1).jobs_per_thread() == 1


def test_it_stops_claiming_ahead_after_one_long_job():
    pace = _pace(0.001)
    pace.note(10.0)
    assert pace.jobs_per_thread() == 1


def test_it_follows_jobs_that_become_shorter():
    pace = _pace(10.0)
    for _ in range(40):
        pace.note(0.001)
    assert pace.jobs_per_thread() > 10
