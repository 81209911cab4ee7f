"""P25: a database on a network file system: sshfs, which talks to its server through a pipe here."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.site import CHECKOUT, Site
from tests.waiting import wait_until

SERVER = Path("/usr/lib/openssh/sftp-server")
REMEDY = "move it to a local disk"


@pytest.fixture
def network_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of another machine, as the kernel sees it."""
    if shutil.which("sshfs") is None or not SERVER.exists():
        pytest.skip("not tested: this machine lacks sshfs or the sftp-server of OpenSSH")
    remote, place = tmp_path / "remote", tmp_path / "network"
    remote.mkdir()
    place.mkdir()
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "sshfs.log").open("wb") as log:
        server = subprocess.Popen([str(SERVER)], stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=log)
        words = ["sshfs", "-f", "-o", "passive", f"there:{remote}", str(place)]
        client = subprocess.Popen(words, stdin=ours.fileno(), stdout=ours.fileno(), stderr=log)
    try:
        wait_until(lambda: place.is_mount() or client.poll() is not None)
        if client.poll() is not None:
            pytest.skip(f"not tested: sshfs may not mount here ({(tmp_path / 'sshfs.log').read_text().strip()})")
        yield place
    finally:
        for process in (client, server):
            process.terminate()  # which makes sshfs unmount
            process.wait()
        subprocess.run(["umount", "--lazy", str(place)], capture_output=True, check=False)  # where it did not


def test_it_is_told_by_workers_by_doctor_and_by_a_check(
    make_sqlite_site: Callable[..., Site], network_folder: Path
) -> None:
    site = make_sqlite_site(DATABASE_URL=f"sqlite:///{network_folder}/queue.sqlite3")
    shutil.copy(site.home / "queue.sqlite3", network_folder)
    site.ok("enqueue", "--id", "job1", "true")

    supervisor = site.start_unready("--drain")
    assert supervisor.wait() == 0
    found = site.run("doctor")
    check = [*site.command()[:2], "check"]
    checked = subprocess.run(check, cwd=CHECKOUT, env=site.environment, capture_output=True, text=True, check=True)

    warning = f"WARNING jobs.supervisor: the database is on fuse.sshfs: SQLite's locks do not work there; {REMEDY}"
    assert supervisor.log().count(warning) == 1
    assert found.returncode == 1
    assert "error    file system" in found.stdout
    assert "queue.sqlite3 is on fuse.sshfs; SQLite's locks do not work there" in found.stdout
    assert REMEDY in found.stdout
    assert "(jobs.W005) The queue's SQLite database is on fuse.sshfs, a network file system." in checked.stderr
    assert '"completed"' in site.ok("list", "--json")


def test_nothing_is_told_of_a_local_disk(sqlite_site: Site) -> None:
    supervisor = sqlite_site.start_unready("--drain")
    assert supervisor.wait() == 0
    assert "SQLite's locks" not in supervisor.log()
    assert "file system" not in sqlite_site.run("doctor").stdout
