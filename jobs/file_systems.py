"""On what kind of file system a file is: SQLite needs locks and shared memory that those of a network do not give."""

from pathlib import Path

MOUNTS = Path("/proc/mounts")
# Whatever begins like one of these, such as nfs4; those that run as a process have `fuse.` before their name.
NETWORK_KINDS = ("9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "ncpfs", "nfs", "smb", "sshfs")


def network_kind(path: Path) -> str | None:
    """Return the kind of the network file system that holds `path`; None if it is none, or the system does not tell."""
    kind = _kind(path.resolve())
    return kind if kind.removeprefix("fuse.").startswith(NETWORK_KINDS) else None


def _kind(path: Path) -> str:
    try:
        mounts = [line.split() for line in MOUNTS.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ""
    kinds = {fields[1].replace("\\040", " "): fields[2] for fields in mounts if len(fields) > 2}
    return next((kinds[str(place)] for place in (path, *path.parents) if str(place) in kinds), "")
