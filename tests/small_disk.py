"""A small file system of its own, to be filled and freed. Only root may mount one."""

import subprocess
from pathlib import Path

CHUNKS_BYTES = (65_536, 4_096)  # the last page, too


class SmallDisk:
    """A disk in memory at `place`, an existing folder. Raise OSError where it may not be mounted."""

    def __init__(self, place: Path, *, size_bytes: int) -> None:
        self.place = place
        self._filler = place / "filler"
        options = f"size={size_bytes},mode=700"
        words = ["mount", "-t", "tmpfs", "-o", options, "queuectl-test", str(place)]
        mounted = subprocess.run(words, capture_output=True, text=True, check=False)
        if mounted.returncode:
            raise OSError(mounted.stderr.strip())

    def fill(self) -> None:
        """Leave no byte free."""
        with self._filler.open("ab", buffering=0) as filler:
            for chunk_bytes in CHUNKS_BYTES:
                try:
                    while True:
                        filler.write(b"\0" * chunk_bytes)
                except OSError:
                    pass

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.place)], check=False)
