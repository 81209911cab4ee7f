"""That the soak of the WAL-reset race sees what is lost."""

import multiprocessing
import sqlite3
from contextlib import closing

import pytest

from benchmarks import wal_race


@pytest.fixture
def path(tmp_path):
    """A database with three rows of the first writer and two of the second."""
    path = tmp_path / "race.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE row (writer, number, text, PRIMARY KEY (writer, number)) WITHOUT ROWID")
        rows = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
        connection.executemany("INSERT INTO row VALUES (?, ?, '')", rows)
    return path


def test_it_misses_nothing_that_is_there(path):
    assert wal_race._look(path, [3, 2]) == (0, True)


def test_it_does_not_mind_a_commit_that_was_not_acknowledged_yet(path):
    assert wal_race._look(path, [2, 2]) == (0, True)


def test_it_counts_acknowledged_commits_that_vanished(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM row WHERE writer = 0 AND number = 1")
    assert wal_race._look(path, [3, 4]) == (3, True)


def test_it_sees_a_damaged_file(path):
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xff" * 4_096)
    assert wal_race._look(path, [3, 2])[1] is False


def test_a_round_leaves_a_tally(tmp_path):
    tally = wal_race.Tally("a way")
    spawn = multiprocessing.get_context("spawn")
    wal_race._Round(wal_race.WAYS["locked"], tmp_path, spawn, seconds=1).run(tally)
    assert tally.commits
    assert tally.checkpoints
    assert (tally.rounds, tally.damaged_rounds, tally.vanished) == (1, 0, 0)
