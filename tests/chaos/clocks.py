"""A wall clock for some processes, to be set to any time at any moment."""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("wrong_clock.c")
NUMBER = struct.Struct("=q")


class WrongClock:
    """Its file, through which a change is seen at once, and the library that reads it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "clock"
        self._library = folder / "wrong_clock.so"
        self._path.write_bytes(NUMBER.pack(0))
        words = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(self._library), str(SOURCE)]
        subprocess.run(words, check=True)
        with self._path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), NUMBER.size)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to have this clock."""
        return {"LD_PRELOAD": str(self._library), "CHAOS_CLOCK": str(self._path)}

    def shift(self, seconds: int) -> None:
        """Let it be wrong by so much from now on."""
        self._page[:] = NUMBER.pack(seconds)


def missing() -> str | None:
    return None if shutil.which("cc") else "cc, a compiler of C"
