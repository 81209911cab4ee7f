"""What is told of a campaign."""

from dataclasses import replace
from pathlib import Path

from tests.chaos import report
from tests.chaos.rounds import Result

ROUND = Result(
    seed=7,
    database="sqlite",
    theme="lock",
    seconds=15.0,
    drain_seconds=2.0,
    jobs=100,
    acknowledged=90,
    states={"completed": 95, "dead": 5},
    runs=200,
    kills={"worker": 1_000, "statement": 30},
    faults={"worker": 1_001, "lock": 4, "requeue": 9, "untouched statement of enqueue": 8},
    lost=0,
    doubled=0,
    recoveries=[0.5, 1.0, 1.25],
    resume_seconds=0.5,
)
ROUNDS = [ROUND, replace(ROUND, seed=8, recoveries=[]), replace(ROUND, seed=20, database="mariadb", lost=2)]


def test_it_adds_up_each_database_and_all():
    lines = report.table(ROUNDS).splitlines()
    assert lines[2:] == [
        "| SQLite | 2 | 7–8 | 200 | 400 | 2,060 | 8 | 180 | 0 | 0 | 0 | 1.0 s | 1.2 s |",
        "| MariaDB | 1 | 20 | 100 | 200 | 1,030 | 4 | 90 | 2 | 0 | 0 | 1.0 s | 1.2 s |",
        "| all | 3 | 7–8, 20 | 300 | 600 | 3,090 | 12 | 270 | 2 | 0 | 0 | 1.0 s | 1.2 s |",
    ]


def test_it_tells_the_same_in_short():
    assert report.short_table(ROUNDS).splitlines()[-1] == "| all | 3,090 | 12 | 270 | 2 | 0 | 1.0 s | 1.2 s |"
    assert "3 rounds (seeds 7–8, 20), 3,090 kills" in report.sentence(ROUNDS)


def test_it_tells_what_was_killed_and_what_else_was_done():
    assert report.kills_table(ROUNDS).splitlines()[2] == "| worker | 2,000 | 0 | 1,000 |"
    assert report.faults_table(ROUNDS).splitlines()[2:] == ["| lock | 8 | 0 | 4 |"]


def test_it_says_what_was_violated_and_how_to_repeat_the_round(tmp_path: Path):
    bad = replace(ROUND, violations={"every_job_is_final": [f"job{number} is pending" for number in range(7)]})
    story = report.story(bad, seconds=15, folder=tmp_path)
    assert "job4 is pending\n    … and 2 more" in story
    assert "python -m tests.chaos --minutes 0 --databases sqlite --theme lock --seed 7 --seconds 15" in story
    assert "VIOLATED" in report.line(bad)


def test_it_keeps_rounds_line_by_line(tmp_path: Path):
    for result in ROUNDS:
        report.append(tmp_path / "kept.jsonl", result)
    assert report.read(tmp_path / "kept.jsonl") == ROUNDS
