"""That what a run found survives being kept, and that the tables say it."""

import re

import pytest

from benchmarks import results, tables
from benchmarks.results import Key, Results
from tests.benchmarks import samples


def rows(page: str, first: str) -> list[list[str]]:
    """Return the cells of the lines of tables that begin with a cell."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")
    ]
    return [line for line in lines if line[0] == first]


def test_it_is_read_as_it_was_written():
    found = samples.run()
    read = Results.from_json(found.as_json())
    assert read.about == found.about
    assert read.stores == found.stores
    assert read.systems == found.systems
    assert read.refused == found.refused
    assert dict(read.values) == dict(found.values)


def test_it_has_the_median_of_the_rounds_as_its_figure():
    assert samples.run().figure("drain", "huey", "sqlite") == 1_000


def test_it_has_no_figure_of_a_measurement_that_was_refused_in_any_round():
    found = samples.run()
    assert found.figure("drain", "rq", "redis") is None
    assert found.figure("enqueue", "rq", "redis") is None
    assert "rq" not in {figure.system for figure in Results.from_json(found.as_json()).values}


def test_it_shows_figures_and_their_ratios():
    page = tables.page(samples.run())
    assert ["huey", "SQLite", "1,000", "0.06", "4.0 ×", "4.0 ×"] in rows(page, "huey")
    assert ["**queuectl**", "SQLite", "4,000", "0.25", "1.00 ×", "1.00 ×"] in rows(page, "**queuectl**")
    assert ["SQLite", "1,000,000 pending", "2.20 (1.10 ×)", "–", "–", "–"] in rows(page, "SQLite")
    assert ["xargs", "", "3,000", "1.00", "0.50 ×"] in rows(page, "xargs")


def test_it_shows_why_there_is_no_figure():
    assert rows(tables.page(samples.run()), "rq") == [["rq", "Redis", "drain", "of 9 jobs 1 did not run"]]


def test_it_shows_machine_versions_and_date():
    page = tables.page(samples.run())
    for fact in (
        "2026-01-02",
        "0123abc",
        "A processor, 2 cores",
        "24 GiB",
        "Python 3.13.0",
        "SQLite 3.40",
        "--count 2",
    ):
        assert fact in page


def test_it_shows_a_run_of_one_measure_alone():
    found = Results(about=samples.ABOUT)
    found.add(Key("raw_turn", "raw", "sqlite", "1"), 10.0)
    assert re.findall("^### (.*)$", tables.page(found), re.MULTILINE) == ["Raw limits, in jobs/s"]


@pytest.mark.parametrize(("is_whole", "name"), [(True, "2026-01-02.json"), (False, "2026-01-02T0304-part.json")])
def test_it_shows_only_whole_runs_in_the_documentation(is_whole, name, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "DIRECTORY", tmp_path)
    assert results.newest() is None
    assert results.write(samples.run(), is_whole=is_whole) == tmp_path / name
    assert (results.newest() is not None) == is_whole
