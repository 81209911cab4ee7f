"""On what kind of file system a file is."""

from pathlib import Path

import pytest

from jobs import file_systems


@pytest.fixture
def mount(monkeypatch, tmp_path):
    """Return a function that mounts a kind of file system at a place, as far as this module can see."""
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/vda / ext4 rw 0 0\n")
    monkeypatch.setattr(file_systems, "MOUNTS", mounts)

    def mount(kind: str, place: str) -> None:
        with mounts.open("a") as file:
            file.write(f"somewhere {place} {kind} rw 0 0\n")

    return mount


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs", "fuse.glusterfs"])
def test_it_knows_those_of_a_network(mount, kind):
    mount(kind, "/nowhere")
    assert file_systems.network_kind(Path("/nowhere/far/queue.sqlite3")) == kind
    assert file_systems.network_kind(Path("/elsewhere/queue.sqlite3")) is None


@pytest.mark.parametrize("kind", ["xfs", "tmpfs", "overlay", "fuse.bindfs", "fuseblk"])
def test_it_takes_no_other_for_one(mount, kind):
    mount(kind, "/nowhere")
    assert file_systems.network_kind(Path("/nowhere/queue.sqlite3")) is None


def test_it_goes_by_the_nearest_mount_and_the_last_of_a_place(mount):
    mount("nfs4", "/nowhere")
    mount("ext4", "/nowhere/disk")
    mount("nfs4", "/nowhere/with\\040spaces")
    assert file_systems.network_kind(Path("/nowhere/disk/queue.sqlite3")) is None
    assert file_systems.network_kind(Path("/nowhere/with spaces/queue.sqlite3")) == "nfs4"
    mount("tmpfs", "/nowhere")
    assert file_systems.network_kind(Path("/nowhere/queue.sqlite3")) is None


def test_it_follows_links(mount, tmp_path):
    mount("nfs", "/nowhere")
    (tmp_path / "queue.sqlite3").symlink_to("/nowhere/queue.sqlite3")
    assert file_systems.network_kind(tmp_path / "queue.sqlite3") == "nfs"


def test_it_does_not_know_where_the_system_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(file_systems, "MOUNTS", tmp_path / "none")
    assert file_systems.network_kind(tmp_path) is None
