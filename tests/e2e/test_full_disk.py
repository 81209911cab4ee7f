"""P24: a disk that is full while jobs run. What has ended is stored once there is room again."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.databases import SQLite
from tests.e2e.site import LONG_SECONDS, Site
from tests.small_disk import SmallDisk
from tests.waiting import wait_until

DISK_BYTES = 8 * 1024 * 1024
PRINTED_BYTES = 120_000  # more than is left in the files of the database
SUPERVISORS, WORKERS, JOBS = 2, 2, 12
START = 'echo "S $QUEUECTL_JOB_ID" >> "$LEDGER"'
END = 'echo "E $QUEUECTL_JOB_ID" >> "$LEDGER"'
PRINT = f"head -c {PRINTED_BYTES} /dev/zero | tr '\\0' x"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    place = tmp_path / "disk"
    place.mkdir()
    try:
        disk = SmallDisk(place, size_bytes=DISK_BYTES)
    except OSError as error:
        pytest.skip(f"not tested: no small disk can be mounted here ({error})")
    yield disk
    disk.remove()


@pytest.fixture
def full_site(make_sqlite_site: Callable[..., Site], disk: SmallDisk) -> Site:
    """A site with nothing but its database on the small disk."""
    site = make_sqlite_site(DATABASE_URL=f"sqlite:///{disk.place}/queue.sqlite3")
    site.database = SQLite(number=0, home=disk.place)
    site.ok("initdb")
    return site


def test_it_keeps_every_outcome_until_there_is_room_again(full_site: Site, disk: SmallDisk) -> None:
    site, gate = full_site, full_site.home / "gate"
    supervisors = [site.start("--count", str(WORKERS)) for _ in range(SUPERVISORS)]
    until_full = f'until [ -e "{gate}" ]; do sleep 0.02; done'
    site.enqueue(*({"id": f"j{number}", "command": f"{START}; {until_full}; {PRINT}; {END}"} for number in range(JOBS)))
    wait_until(lambda: len(site.lines("S")) == SUPERVISORS * WORKERS)

    disk.fill()
    gate.touch()
    for supervisor in supervisors:
        wait_until(lambda: "unavailable, will go on trying: database or disk is full" in supervisor.log(), LONG_SECONDS)  # noqa: B023
    wait_until(lambda: len(site.lines("E")) >= SUPERVISORS * WORKERS, LONG_SECONDS)
    refused = site.run("enqueue", "--id", "refused", f": {'x' * PRINTED_BYTES}")
    alive = [supervisor.process.poll() is None for supervisor in supervisors]
    recorded_meanwhile = site.states().get("completed", 0)
    ended_meanwhile = len(site.lines("E"))
    disk.free()

    site.wait_until_settled()
    assert (refused.returncode, refused.stdout) == (75, "")
    assert refused.stderr == "queuectl: the disk that holds the database is full; free some space, then repeat\n"
    assert recorded_meanwhile < ended_meanwhile
    assert all(alive)
    assert site.states() == {"completed": JOBS}
    assert Counter(words[1] for words in site.lines("S")) == {f"j{number}": 1 for number in range(JOBS)}
    for number in range(JOBS):
        (attempt,) = site.attempts(f"j{number}")
        assert attempt["output_head"] + attempt["output_tail"] == "x" * PRINTED_BYTES
    for supervisor in supervisors:
        assert "Traceback" not in supervisor.log()
        assert supervisor.process.poll() is None
    site.database.check()
