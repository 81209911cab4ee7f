"""Where this site keeps its files: the database, the secret key, the collected static files. Used by the settings.

Everything here is private to its owner: whoever can write a command into the queue, or sign one with the key, runs
code as the worker's user.
"""

import os
import secrets
import shlex
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

PACKAGE_PARENT = Path(__file__).resolve().parent.parent
DATABASE_NAME = "queue.sqlite3"
KEY_NAME = "secret_key"
KEY_BYTES = 50  # more entropy than the hash it feeds
KEY_CLOSED_TO = stat.S_IRWXO | stat.S_IWGRP  # its group may read it: that of a worker and a web server, say
ROOT = 0
REMEDY = "set QUEUECTL_HOME to a directory you may write to"


def checkout() -> Path | None:
    """Return the directory of `manage.py` when the site runs from a checkout, None when it was installed."""
    return PACKAGE_PARENT if (PACKAGE_PARENT / "manage.py").is_file() else None


def location() -> Path:
    """Return the home directory: QUEUECTL_HOME, the checkout's `var`, or the state directory. It may not exist."""
    if configured := os.environ.get("QUEUECTL_HOME"):
        return Path(configured).expanduser().absolute()
    if root := checkout():
        return root / "var"
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser().absolute() / "queuectl"


def ensure() -> Path:
    """Return the home directory, created if need be. Raise ImproperlyConfigured."""
    path = location()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"cannot create the directory {path}: {error.strerror}; {REMEDY}") from error
    return path


def secret_key(directory: Path) -> str:
    """Return the site's secret key, generated on first use. Raise ImproperlyConfigured."""
    path = directory / KEY_NAME
    try:
        if not path.exists():
            _publish(path, _write_key)
        with path.open(encoding="ascii") as file:
            _refuse_key_of_others(path, os.fstat(file.fileno()))
            key = file.read().strip()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a key"
        raise ImproperlyConfigured(f"cannot use the key file {path}: {reason}; {REMEDY}, or set SECRET_KEY") from error
    if not key:
        raise ImproperlyConfigured(f"the key file {path} is empty; delete it to have a new key generated")
    return key


def _refuse_key_of_others(path: Path, status: os.stat_result) -> None:
    """Refuse a key that others know: they could sign commands, which run as the worker's user."""
    if status.st_uid not in (os.geteuid(), ROOT):
        remedy = f"{shlex.join(['chown', str(os.geteuid()), str(path)])}, or set SECRET_KEY"
        raise ImproperlyConfigured(
            f"the key file {path} belongs to another user, with the id {status.st_uid}; {remedy}"
        )
    if status.st_mode & KEY_CLOSED_TO:
        remedy = f"{shlex.join(['chmod', '600', str(path)])}, or set SECRET_KEY"
        raise ImproperlyConfigured(f"others may read or write the key file {path}; {remedy}")


def ensure_database(path: Path) -> None:
    """Create an empty SQLite database at `path` unless there is one. Raise ImproperlyConfigured.

    Its -wal and -shm companions take over its mode. It is in WAL mode before anyone can open it: changing the mode
    later needs an exclusive lock, and processes that start together would refuse each other with "database is locked".
    """
    try:
        if not path.exists():
            _publish(path, _write_database)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImproperlyConfigured(f"cannot create {path}: {reason}; {REMEDY}, or set DATABASE_URL") from error


def _publish(path: Path, write: Callable[[Path], None]) -> None:
    """Create `path` whole and private, or leave the one that another process created first."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    os.close(descriptor)
    draft = Path(name)
    try:
        write(draft)
        path.hardlink_to(draft)  # unlike a rename, never replaces: the loser of a race uses the winner's file
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _write_key(draft: Path) -> None:
    with draft.open("w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())  # a key that a power cut empties would invalidate every signed job


def _write_database(draft: Path) -> None:
    connection = sqlite3.connect(draft)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
