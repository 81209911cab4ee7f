"""The connection options a queue on SQLite needs: `"OPTIONS": sqlite_options.options()` in a project's settings.

Imports only the standard library: settings are read before Django is ready.
"""

import sqlite3
from typing import Any

BUSY_TIMEOUT_SECONDS = 20.0  # longer than any transaction of ours; a lock that outlasts it is reported
JOURNAL_SIZE_LIMIT_BYTES = 67_108_864  # the WAL file returns to 64 MiB after a burst instead of staying at its peak

Version = tuple[int, int, int]


def options(*, timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> dict[str, Any]:
    """Return Django's `OPTIONS` for the SQLite database that holds the queue.

    - transactions begin IMMEDIATE: one that reads and then writes cannot fail half way with "database is locked";
    - WAL: readers and the writer do not wait for each other;
    - `synchronous=FULL`: a commit that returned survives a power cut (in WAL mode NORMAL does not promise that);
    - no automatic checkpoints where SQLite has the WAL-reset race: there, `jobs.sql.sqlite_log` alone checkpoints.
    """
    return {
        "transaction_mode": "IMMEDIATE",
        "timeout": timeout_seconds,
        "init_command": "; ".join(f"PRAGMA {pragma}" for pragma in _pragmas()),
    }


def _pragmas() -> list[str]:
    pragmas = ["journal_mode=WAL", "synchronous=FULL", f"journal_size_limit={JOURNAL_SIZE_LIMIT_BYTES}"]
    if has_wal_reset_race():
        pragmas.append("wal_autocheckpoint=0")
    return pragmas


def has_wal_reset_race(version: Version = sqlite3.sqlite_version_info[:3]) -> bool:
    """Tell whether this SQLite can lose commits or damage the file when one connection writes and another checkpoints.

    Present since WAL exists (3.7.0); fixed on 2026-03-13 in 3.51.3, 3.50.7 and 3.44.6 (sqlite.org/changes.html).
    """
    if version < (3, 7, 0) or version >= (3, 51, 3):
        return False
    is_fixed_3_50 = (3, 50, 7) <= version < (3, 51, 0)
    is_fixed_3_44 = (3, 44, 6) <= version < (3, 45, 0)
    return not (is_fixed_3_50 or is_fixed_3_44)
