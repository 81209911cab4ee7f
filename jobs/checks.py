"""System checks of the queue: what is wrong with its settings and its database, before it shows at night.

Called by `manage.py check` and at the start of most commands; none of them opens a connection. The ids are stable:
a project may silence one. Two apps labelled `jobs` are refused by Django itself.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper

from jobs import conf, named_commands, sql, sqlite_options
from jobs.models import Job
from jobs.sql import listening

SQLITE_OLDEST = (3, 35, 0)  # the first with RETURNING, which the claim needs
DSN_HINT = (
    "Quote its values as in password='…', with a backslash before ' and \\; "
    "in user and password of a URL write / : @ # ? % as %2F and so on."
)
OPTIONS_HINT = 'Use "OPTIONS": jobs.sqlite_options.options() for this database.'


@checks.register(checks.Tags.compatibility)
def check_settings(*, app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Refuse a `JOBS` setting that the queue would trip over."""
    configured = getattr(settings, "JOBS", {})
    return [checks.Error(problem, id="jobs.E001") for problem in conf.problems(configured)]


@checks.register(checks.Tags.compatibility)
def check_listen_dsn(*, app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Refuse a connection string that cannot be read, without repeating it: it holds a password."""
    dsn = conf.listen_dsn()
    try:
        if dsn is None or listening.is_readable(dsn):
            return []
    except ImportError:  # without the driver nothing listens
        return []
    return [checks.Error(listening.UNREADABLE, hint=DSN_HINT, id="jobs.E011")]


@checks.register(checks.Tags.compatibility)
def check_time_zones(*, app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Refuse times without a zone: the queue's are moments, and the same for all who use it."""
    if settings.USE_TZ:
        return []
    hint = "Set USE_TZ = True, which is Django's default."
    return [checks.Error("The queue needs times with a time zone.", hint=hint, id="jobs.E012")]


@checks.register(checks.Tags.compatibility)
def check_commands(*, app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Refuse a named command that is not defined well; the admin does not offer it."""
    return [checks.Error(str(wrong), hint=wrong.hint, id=wrong.check_id) for wrong in named_commands.problems()]


@checks.register(checks.Tags.compatibility)
def check_ignored_tasks(*, app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Warn of a `TASKS` that nothing reads: Django before 6.0 has no tasks, and takes any setting without a word."""
    if find_spec("django.tasks") or find_spec("django_tasks"):
        return []
    return [
        checks.Warning(
            f"TASKS[{alias!r}] is ignored: this Django has no tasks, and their backport is not installed.",
            hint='Use Django 6.0, or: pip install "django-queuectl[tasks]".',
            id="jobs.W006",
        )
        for alias, entry in (getattr(settings, "TASKS", None) or {}).items()
        if str(entry.get("BACKEND")).startswith("jobs.")
    ]


@checks.register(checks.Tags.compatibility)
def check_database(*, app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Refuse a database that cannot hold the queue, and warn of settings under which it keeps less than it promises."""
    routing = _routing()
    if routing:
        return routing
    database = connections[conf.database_alias()]
    return [*_vendor(database), *_sqlite(database)]


def _routing() -> list[checks.CheckMessage]:
    wanted, alias = conf.database_alias(), router.db_for_write(Job)
    if wanted not in connections:
        return [
            checks.Error(
                f'JOBS["DATABASE"] is {wanted!r}, which is not in DATABASES.',
                hint="Add it there, or leave the key away to keep the queue in the default database.",
                id="jobs.E005",
            )
        ]
    if alias == wanted:
        return []
    return [
        checks.Error(
            f"A database router sends the queue to {alias!r}, but JOBS names {wanted!r}.",
            hint='Put "jobs.router.QueueRouter" first in DATABASE_ROUTERS.',
            id="jobs.E004",
        )
    ]


def _vendor(database: BaseDatabaseWrapper) -> list[checks.CheckMessage]:
    try:
        sql.for_connection(database)
    except KeyError:
        hint = "The queue runs on SQLite, PostgreSQL and MariaDB."
        return [checks.Error(f"The queue cannot live in {database.display_name}.", hint=hint, id="jobs.E002")]
    return []


def _sqlite(database: BaseDatabaseWrapper) -> list[checks.CheckMessage]:
    if database.vendor != "sqlite":
        return []
    if sqlite3.sqlite_version_info < SQLITE_OLDEST:
        oldest = ".".join(map(str, SQLITE_OLDEST))
        message = f"SQLite {sqlite3.sqlite_version} is too old for the queue."
        return [
            checks.Error(message, hint=f"Use a Python that is linked with SQLite {oldest} or newer.", id="jobs.E003")
        ]
    options = database.settings_dict.get("OPTIONS") or {}
    pragmas = _pragmas(options)
    return [
        *_transactions(options),
        *_journal(pragmas),
        *_durability(pragmas),
        *_checkpoints(pragmas),
        *_place(database),
    ]


def _pragmas(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the pragmas that a connection starts with, by name."""
    pragmas: dict[str, str] = {}
    for statement in str(options.get("init_command") or "").split(";"):
        word, _, rest = statement.strip().partition(" ")
        name, _, value = rest.partition("=")
        if word.upper() == "PRAGMA":
            pragmas[name.strip().lower()] = value.strip().strip("'\"").upper()
    return pragmas


def _transactions(options: Mapping[str, Any]) -> list[checks.CheckMessage]:
    if str(options.get("transaction_mode") or "").upper() in {"IMMEDIATE", "EXCLUSIVE"}:
        return []
    return [
        checks.Warning(
            "Transactions on the queue's SQLite database are not IMMEDIATE.",
            hint=f"One that reads and then writes can fail with 'database is locked'. {OPTIONS_HINT}",
            id="jobs.W001",
        )
    ]


def _journal(pragmas: Mapping[str, str]) -> list[checks.CheckMessage]:
    if pragmas.get("journal_mode") == "WAL":
        return []
    return [
        checks.Warning(
            "The queue's SQLite database is not opened in WAL mode.",
            hint=f"Readers and workers wait for each other. {OPTIONS_HINT}",
            id="jobs.W002",
        )
    ]


def _durability(pragmas: Mapping[str, str]) -> list[checks.CheckMessage]:
    if pragmas.get("synchronous") in {"FULL", "EXTRA", "2", "3"}:
        return []
    return [
        checks.Warning(
            "The queue's SQLite database is not opened with synchronous=FULL.",
            hint=f"A job that was enqueued may be lost in a power cut. {OPTIONS_HINT}",
            id="jobs.W003",
        )
    ]


def _checkpoints(pragmas: Mapping[str, str]) -> list[checks.CheckMessage]:
    if not sqlite_options.has_wal_reset_race() or pragmas.get("wal_autocheckpoint") == "0":
        return []
    return [
        checks.Warning(
            f"SQLite {sqlite3.sqlite_version} can lose commits, or damage the file, when it checkpoints by itself.",
            hint=f"Leave the checkpoints to the queue, or use SQLite 3.51.3 or newer. {OPTIONS_HINT}",
            id="jobs.W004",
        )
    ]


def _place(database: BaseDatabaseWrapper) -> list[checks.CheckMessage]:
    kind = sql.for_connection(database).network_file_system(database)
    if kind is None:
        return []
    return [
        checks.Warning(
            f"The queue's SQLite database is on {kind}, a network file system.",
            hint="SQLite's locks do not work there. Move it to a local disk, or use PostgreSQL or MariaDB.",
            id="jobs.W005",
        )
    ]
