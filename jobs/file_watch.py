"""Being told by the kernel that a file was written to, instead of asking again and again. Linux only."""

import ctypes
import os
import sys
from pathlib import Path

_IN_MODIFY = 0x2  # linux/inotify.h
_EVENTS_BYTES = 65_536  # hundreds of events; what does not fit is read the next time


class FileWatch:
    """Readable after one of the files was written to. Raise OSError where the kernel has no watch left to give."""

    def __init__(self, *paths: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._paths = paths
        self._fd = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self.renew()

    def renew(self) -> None:
        """Watch the files that have these names now; one that was replaced would never be heard of again."""
        for path in self._paths:
            if path.exists():
                self._checked(self._libc.inotify_add_watch(self._fd, os.fsencode(path), _IN_MODIFY))

    def fileno(self) -> int:
        return self._fd

    def clear(self) -> bool:
        """Forget what was written so far; return whether anything was."""
        try:
            return bool(os.read(self._fd, _EVENTS_BYTES))
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._fd)

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def watch(*paths: Path) -> FileWatch | None:
    """Return a watch on files, or None where there is no such thing: then somebody has to look."""
    if sys.platform != "linux":
        return None
    try:
        return FileWatch(*paths)
    except OSError:
        return None
