"""P25: an SQLite file that is moved away, or replaced, while workers have it open."""

import shutil
from pathlib import Path

from tests.e2e.site import Site
from tests.waiting import wait_until

PARTS = ("queue.sqlite3", "queue.sqlite3-wal", "queue.sqlite3-shm")
GONE = "there is no file"
REPLACED = "another file has taken the place of"


def move_away(home: Path) -> Path:
    """Move the database into a folder, which is returned: the file first, so that nobody opens it without its log."""
    away = home / "away"
    away.mkdir()
    for name in PARTS:
        if (home / name).exists():
            shutil.move(home / name, away / name)
    return away


def move_back(home: Path, away: Path) -> None:
    for name in reversed(PARTS):
        if (away / name).exists():
            shutil.move(away / name, home / name)


def test_it_serves_the_file_that_took_the_place_of_another(sqlite_site: Site) -> None:
    site = sqlite_site
    supervisor = site.start()
    site.enqueue({"id": "old", "command": "sleep 60"})
    site.wait_for_state("old", "processing")
    wait_until(lambda: len(site.marked_processes()) > 0)

    move_away(site.home)
    site.ok("initdb")
    site.enqueue({"id": "new", "command": "true"})

    site.wait_for_state("new", "completed")
    assert supervisor.log().count(REPLACED) == 1
    assert not site.marked_processes()
    assert site.states() == {"completed": 1}
    assert "Traceback" not in supervisor.log()


def test_it_waits_for_a_file_that_was_moved_away(sqlite_site: Site) -> None:
    site = sqlite_site
    supervisor = site.start()
    site.enqueue({"id": "patient", "command": "sleep 3"})
    site.wait_for_state("patient", "processing")

    away = move_away(site.home)
    wait_until(lambda: GONE in supervisor.log())
    assert not (site.home / "queue.sqlite3").exists()
    move_back(site.home, away)

    job = site.wait_for_state("patient", "completed")
    assert job["attempts"] == 1
    assert supervisor.log().count(GONE) == 1
    assert REPLACED not in supervisor.log()
    site.database.check()
