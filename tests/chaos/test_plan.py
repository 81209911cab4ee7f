"""What a seed decides."""

import random
from itertools import pairwise

import pytest

from tests.chaos import load, plan

ENVIRONMENT = {"LEDGER": "/ledger"}


def made(seed: int, *, theme: str = "lock", database: str = "sqlite") -> plan.Plan:
    return plan.make(seed, database=database, theme=theme, seconds=20.0, environment=ENVIRONMENT)


def test_a_seed_gives_the_same_plan_each_time():
    assert made(7) == made(7)


def test_another_seed_gives_another_plan():
    assert made(7).batches != made(8).batches
    assert made(7).strikes != made(8).strikes


@pytest.mark.parametrize(
    ("database", "theme"),
    [(database, theme) for database in ("sqlite", "mariadb") for theme in plan.themes(database) if theme != plan.SWEEP],
)
def test_faults_of_the_whole_site_follow_one_another(database: str, theme: str):
    names = {name for name, *_ in plan.THEMES[theme]}
    faults = [strike for strike in made(1, theme=theme, database=database).strikes if strike.nemesis in names]
    assert faults or theme == "processes"
    for earlier, later in pairwise(faults):
        assert earlier.at + earlier.seconds < later.at


def test_the_load_has_all_sorts_of_jobs():
    batches = load.batches(random.Random(1), seconds=60, rate=10, environment=ENVIRONMENT)
    jobs = [job for batch in batches for job in batch.jobs]
    assert {job.can_complete for job in jobs} == {True, False}
    assert {job.is_rolled_back for job in jobs} == {True, False}
    assert {"command" in job.fields for job in jobs} == {True, False}
    assert {batch.way for batch in batches} == {"json", "file", "commit", "rollback"}
    assert len({job.id for job in jobs}) == len(jobs)


def test_a_job_waits_as_the_product_says():
    fields = {"id": "job1", "backoff_base": 2.0, "backoff_max": 5.0, "max_retries": 3, "queue": "default"}
    job = load.Job(fields=fields)
    assert [job.backoff_seconds(attempt) for attempt in (1, 2, 3)] == [2.0, 4.0, 5.0]
    assert job.attempts_max == 4
