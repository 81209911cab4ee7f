"""What `doctor` says of the place where the database lives: version, mode, disk, permissions."""

import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from jobs import moments, sql, sqlite_options
from jobs.database import connection
from jobs.stats._findings import Finding, error, ok, warning

DISK_LOW_BYTES = 1_073_741_824  # a day's output of a busy queue
DISK_FULL_BYTES = 104_857_600  # a WAL of a busy minute no longer fits
WAL_LARGE_BYTES = 268_435_456  # four times the size at which whoever enqueues shortens it
SNAPSHOT_OLD_SECONDS = 300.0  # a queue under load makes a million dead rows in that time
OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
MIB = 1_048_576


def examine() -> Iterator[Finding]:
    """Yield findings about the database's version, settings and files."""
    facts = sql.for_connection(connection).facts(connection)
    path = Path(facts["path"]) if "path" in facts else None
    yield ok("database", facts["product"] + (f", {path}" if path else ""))
    yield from _settings(facts)
    yield from _server(facts)
    if path is not None and path.is_file():
        yield from _network(path)
        yield from _disk(path)
        yield from _wal(path)
        yield from _permissions(path)


def _settings(facts: dict[str, str]) -> Iterator[Finding]:
    remedy = 'use "OPTIONS": jobs.sqlite_options.options() in DATABASES'
    if facts.get("journal_mode", "wal") != "wal":
        yield warning(
            "database", f"journal mode is {facts['journal_mode']}; readers and the writer wait for each other", remedy
        )
    if facts.get("synchronous", "2") not in ("2", "3"):
        yield warning("database", "synchronous is below FULL; a power cut can lose jobs that were acknowledged", remedy)
    if "wal_autocheckpoint" in facts and sqlite_options.has_wal_reset_race():
        yield _race(facts, remedy)


def _server(facts: dict[str, str]) -> Iterator[Finding]:
    if facts.get("is_replica") == "true":
        yield error("database", "it is read-only, perhaps a replica", "let DATABASES name the primary")
    if facts.get("synchronous_commit", "on") in ("off", "local"):
        text = f"synchronous_commit is {facts['synchronous_commit']}; a crash can lose jobs that were acknowledged"
        yield warning("database", text, "set synchronous_commit = on, for this database or for all")
    if facts.get("autovacuum", "on") != "on":
        text = "autovacuum is off; dead rows pile up, the tables grow and claims become slow"
        yield warning("database", text, "set autovacuum = on")
    if facts.get("innodb_flush_log_at_trx_commit", "1") != "1":
        text = "innodb_flush_log_at_trx_commit is not 1; a crash can lose jobs that were acknowledged"
        yield warning("database", text, "set innodb_flush_log_at_trx_commit = 1")
    if facts.get("character_set", "utf8mb4") != "utf8mb4":
        text = f"its character set is {facts['character_set']}; not every text that a job prints can be stored"
        yield error("database", text, "ALTER DATABASE … CHARACTER SET utf8mb4, and convert the tables jobs_…")
    seconds = float(facts.get("oldest_snapshot_seconds", 0))
    if seconds > SNAPSHOT_OLD_SECONDS:
        text = f"a transaction has been open for {moments.rough(seconds)}: {facts['oldest_snapshot_holder']}"
        yield warning("snapshot", f"{text}; dead rows pile up and claims become slow", "end it")


def _race(facts: dict[str, str], remedy: str) -> Finding:
    version = facts["product"]
    if facts["wal_autocheckpoint"] == "0":
        text = f"{version} has the WAL-reset race; it is avoided here, as long as no other program writes to this file"
        return warning("database", text, "upgrade to SQLite 3.51.3, 3.50.7 or 3.44.6")
    text = f"{version} can lose committed jobs, or damage the file, when it checkpoints by itself"
    return error("database", text, remedy)


def _network(path: Path) -> Iterator[Finding]:
    kind = sql.for_connection(connection).network_file_system(connection)
    if kind is not None:
        yield error("file system", f"{path} is on {kind}; SQLite's locks do not work there", "move it to a local disk")


def _disk(path: Path) -> Iterator[Finding]:
    free_bytes = shutil.disk_usage(path).free
    text = f"{free_bytes // MIB:,} MiB free where the database is"
    if free_bytes < DISK_FULL_BYTES:
        yield error("disk", text, "free some space; nothing can be stored when it is full")
    elif free_bytes < DISK_LOW_BYTES:
        yield warning("disk", text, "free some space, or prune old jobs: queuectl prune")
    else:
        yield ok("disk", text)


def _wal(path: Path) -> Iterator[Finding]:
    wal = path.with_name(f"{path.name}-wal")
    size_bytes = wal.stat().st_size if wal.exists() else 0
    if size_bytes > WAL_LARGE_BYTES:
        text = f"the write-ahead log has grown to {size_bytes // MIB:,} MiB; a reader holds it open"
        yield warning("wal", text, "end long transactions of other programs; the next enqueue or a worker shortens it")


def _permissions(path: Path) -> Iterator[Finding]:
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        remedy = shlex.join(["chmod", "u+w", str(path), str(path.parent)])
        yield error("files", f"{path} or its folder cannot be written to", remedy)
    found = [*_open_files(path), *_open_folder(path.parent)]
    yield from found or [ok("files", "only their owner may read and write them")]


def _open_files(path: Path) -> Iterator[Finding]:
    files = [file for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))) if file.exists()]
    is_open = [str(file) for file in files if file.stat().st_mode & OTHERS]
    if is_open:
        text = "others may read or write the database; who can write it can run commands as the worker's user"
        yield warning("files", text, shlex.join(["chmod", "600", *is_open]))


def _open_folder(folder: Path) -> Iterator[Finding]:
    """Find one in which others may replace what is not theirs. In a sticky one, such as /tmp, they may not."""
    mode = folder.stat().st_mode
    if mode & OTHERS_WRITE and not mode & stat.S_ISVTX:
        text = f"others may write to the folder {folder}, and put files of their own in the place of the database"
        yield warning("files", text, shlex.join(["chmod", "go-w", str(folder)]))
