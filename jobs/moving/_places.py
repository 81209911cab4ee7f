"""The two databases of a move: opening the source, and speaking of both without their passwords."""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from django.utils import timezone

from jobs import conf, masking, sql, sqlite_options
from jobs.errors import DatabaseUnavailable, InvalidInput, QueueError

SOURCE_ALIAS = "jobs_move_source"  # in django.db.connections, while a move lasts
SCHEMES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "mariadb": "django.db.backends.mysql",
}
EXTRAS = {"django.db.backends.postgresql": "postgres", "django.db.backends.mysql": "mysql"}
OPTION = "--from"
EXAMPLES = "sqlite:////srv/queue.sqlite3, postgres://USER:PASSWORD@HOST:PORT/NAME or mariadb://USER:PASSWORD@HOST/NAME"
BLAMED = "queuectl_place"  # the attribute of an error that says which database raised it
LOCK_WAIT_SECONDS = 10.0  # as every other command that a person waits for


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One of the two databases. `role` is what messages call it."""

    alias: str
    role: str

    @property
    def connection(self) -> BaseDatabaseWrapper:
        return connections[self.alias]

    @property
    def dialect(self) -> sql.Dialect:
        return sql.for_connection(self.connection)

    @property
    def settings(self) -> dict[str, Any]:
        return self.connection.settings_dict

    def __str__(self) -> str:
        """Return where it is, as the beginning of a URL without user and password; a file as its path."""
        return sql.address(self.connection)

    def now(self) -> datetime:
        """Return the time there, which its rows are compared with."""
        return self.dialect.server_time(self.connection) or timezone.now()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Connect, and note of each failed statement that it was this database which refused."""
        self._connect()
        with self.connection.execute_wrapper(self._execute):
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._blamed(), transaction.atomic(using=self.alias):
            yield

    def rest(self) -> None:
        """Let the database do what supervisors have it do: SQLite's log of a long move would grow without an end."""
        if not self.connection.in_atomic_block:
            with self._blamed(), self.connection.wrap_database_errors:
                self.dialect.maintain(self.connection)

    def refusal(self, error: Error) -> QueueError:
        """Return what an error of this database means."""
        explained = self.dialect.explain(self.connection, error)
        message = self._without_password(f"the {self.role}: {explained or ' '.join(str(error).split())}")
        return QueueError(message) if explained is None else DatabaseUnavailable(message)

    def _connect(self) -> None:
        with self._blamed():
            self.dialect.check(self.connection)
            self.connection.ensure_connection()

    def _execute(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        """Run one statement. Django calls this for each, with what does it as the first argument."""
        with self._blamed():
            return execute(*arguments)

    @contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except Error as error:
            vars(error).setdefault(BLAMED, self)
            raise

    def _without_password(self, message: str) -> str:
        password = str(self.settings["PASSWORD"] or "")
        return message.replace(password, masking.MASK) if password else message


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where the jobs come from, and where they go."""

    source: Place
    destination: Place

    @property
    def places(self) -> tuple[Place, Place]:
        return self.source, self.destination


@contextmanager
def route(text: str) -> Iterator[Route]:
    """Open the database that a URL, or an alias in `DATABASES`, names, and close it in the end. Raise QueueError."""
    connections.settings[SOURCE_ALIAS] = _whole_settings(text)
    try:
        _load_driver()
        found = Route(
            source=Place(alias=SOURCE_ALIAS, role="source"),
            destination=Place(alias=conf.database_alias(), role="destination"),
        )
        if _is_same_by_name(found):
            raise InvalidInput(OPTION, f"{found.source} is the configured database itself; there is nothing to move")
        found.source.dialect.limit_wait(found.source.connection, seconds=LOCK_WAIT_SECONDS)
        with found.source.opened(), found.destination.opened():
            yield found
    except Error as error:
        place: Place | None = vars(error).get(BLAMED)
        if place is None:
            raise
        raise place.refusal(error) from error
    finally:
        _forget_source()


def _forget_source() -> None:
    for connection in connections.all(initialized_only=True):
        if connection.alias == SOURCE_ALIAS:
            connection.close()
            del connections[SOURCE_ALIAS]
    del connections.settings[SOURCE_ALIAS]


def _whole_settings(text: str) -> dict[str, Any]:
    database = _from_url(text) if "://" in text else _from_alias(text)
    if database["ENGINE"] == SCHEMES["sqlite"]:
        database = _existing_file(database)
    handler = ConnectionHandler({"default": database})  # adds Django's defaults
    return handler.settings["default"]  # type: ignore[no-any-return]


def _from_alias(text: str) -> dict[str, Any]:
    if text not in connections.settings:
        # What is no plain word may be a mistyped URL, with a password.
        shown = f"there is no database {text!r} in DATABASES" if re.fullmatch(r"[\w.-]{1,64}", text) else "is no URL"
        raise InvalidInput(OPTION, f"{shown}; write {EXAMPLES}")
    database = connections.settings[text]
    return {**database, "OPTIONS": dict(database["OPTIONS"]), "TEST": {}}


def _from_url(text: str) -> dict[str, Any]:
    scheme, _, rest = text.partition("://")
    if scheme not in SCHEMES:
        raise InvalidInput(OPTION, f"must start with sqlite:///, postgres:// or mariadb://; write {EXAMPLES}")
    if scheme == "sqlite" and (not rest.startswith("/") or rest == "/" or ":memory:" in rest or "mode=memory" in rest):
        raise InvalidInput(OPTION, "must name a file, such as sqlite:////srv/queue.sqlite3")
    try:
        with warnings.catch_warnings(action="ignore"):
            database: dict[str, Any] = environ.Env.db_url_config(text, engine=SCHEMES[scheme])
    except ValueError:  # whose text may contain a part of the password
        raise InvalidInput(OPTION, "cannot be read; in user and password write / : @ # ? % as %2F and so on") from None
    if not database.get("NAME"):
        raise InvalidInput(OPTION, f"names no database; write {EXAMPLES}")
    return database


def _existing_file(database: dict[str, Any]) -> dict[str, Any]:
    """Return settings for a file that exists. It stays in its own journal mode: it may turn out to be no queue's."""
    path = Path(str(database["NAME"])).absolute()
    if not path.is_file():
        raise InvalidInput(OPTION, f"there is no file {path}")
    ours = sqlite_options.options(timeout_seconds=LOCK_WAIT_SECONDS)
    pragmas = [pragma for pragma in ours["init_command"].split("; ") if "journal_mode" not in pragma]
    options = ours | {"init_command": "; ".join(pragmas)} | database.get("OPTIONS", {})
    return database | {"NAME": str(path), "OPTIONS": options | {"transaction_mode": "IMMEDIATE"}}


def _load_driver() -> None:
    try:
        connection = connections[SOURCE_ALIAS]
        sql.for_connection(connection)
    except ImproperlyConfigured:
        extra = EXTRAS.get(connections.settings[SOURCE_ALIAS]["ENGINE"])
        remedy = f"install it with: pip install 'django-queuectl[{extra}]'"
        raise InvalidInput(OPTION, f"the driver for this database is missing; {remedy}") from None
    except KeyError:
        raise InvalidInput(OPTION, "no queue can live in such a database") from None


def _is_same_by_name(found: Route) -> bool:
    """Tell whether both have one name. One database may have two: `queue.is_same_database` asks the database."""
    here, there = (place.settings for place in found.places)
    if found.source.connection.vendor != found.destination.connection.vendor:
        return False
    if found.source.connection.vendor == "sqlite":
        path = Path(str(there["NAME"]))
        return path.exists() and path.samefile(str(here["NAME"]))
    return all(str(here[key] or "") == str(there[key] or "") for key in ("HOST", "PORT", "NAME"))
