"""Every setting, declared once: the knobs that `config` and the admin change, and the keys of the `JOBS` setting.

A knob lives in the database and reaches running supervisors within a second; a key of `JOBS` is read when a process
starts. The command line, the admin form, the system checks and the reference documentation derive from these tables.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from jobs import durations
from jobs.errors import InvalidInput

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One number a person may set for all queues or for one. A `unit` of `seconds` takes durations such as 10m."""

    name: str
    is_whole: bool = False
    unit: str
    default: float
    minimum: float
    maximum: float
    help: str
    zero: str | None = None  # what 0 means where it is not what it says

    def clean(self, value: object) -> float:
        """Return `value` as a number within bounds; a text is read as a person would write it. Raise InvalidInput."""
        number = self._number(value)
        if not math.isfinite(number) or not self.minimum <= number <= self.maximum:
            raise InvalidInput(self.name, f"must be from {self.minimum:g} to {self.maximum:g} {self.unit}".rstrip())
        if self.is_whole and number != int(number):
            raise InvalidInput(self.name, "must be a whole number")
        return int(number) if self.is_whole else number

    def _number(self, value: object) -> float:
        try:
            if isinstance(value, str):
                return durations.parse(value) if self.unit == "seconds" else float(_plain(value))
            if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
        except (ValueError, OverflowError):
            pass
        expected = f"a duration such as {durations.EXAMPLES}" if self.unit == "seconds" else "a number"
        raise InvalidInput(self.name, f"must be {expected}")


def _plain(text: str) -> str:
    """Return `text` if it is a plain decimal number; float() would also take `1_000`, `nan` and other alphabets."""
    if len(text) > 32 or not text.strip().lstrip("-").replace(".", "", 1).isascii():
        raise ValueError("not a number")
    if not text.strip().lstrip("-").replace(".", "", 1).isdigit():
        raise ValueError("not a number")
    return text


KNOBS: dict[str, Knob] = {
    knob.name: knob
    for knob in (
        Knob(
            name="max_retries",
            is_whole=True,
            unit="",
            default=3,
            minimum=0,
            maximum=1_000,
            help="attempts after the first one; 0 sends a job to the Dead Letter Queue when its only attempt fails",
        ),
        Knob(
            name="backoff_base",
            unit="",
            default=2.0,
            minimum=0,
            maximum=1_000,
            help="the wait after failed attempt n is backoff_base ** n seconds",
        ),
        Knob(
            name="backoff_max",
            unit="seconds",
            default=3_600.0,
            minimum=0,
            maximum=365 * DAY_SECONDS,
            help="the longest wait between two attempts, before jitter",
        ),
        Knob(
            name="jitter",
            unit="",
            default=0.0,
            minimum=0,
            maximum=1,
            help="random extra wait, as a share of the wait: 0.2 adds up to a fifth",
        ),
        Knob(
            name="timeout",
            unit="seconds",
            default=0.0,
            minimum=0,
            maximum=365 * DAY_SECONDS,
            help="how long one attempt may run; 0 is no limit",
            zero="no limit",
        ),
        Knob(
            name="retention",
            unit="seconds",
            default=7 * DAY_SECONDS,
            minimum=0,
            maximum=3_650 * DAY_SECONDS,
            help="how long completed and cancelled jobs are kept; dead jobs are kept until a person decides",
        ),
    )
}


def knob(name: str) -> Knob:
    """Return the knob called `name`; dashes and underscores are the same. Raise InvalidInput."""
    found = KNOBS.get(name.replace("-", "_"))
    if found is None:
        raise InvalidInput(name, f"is not a setting; choose from {', '.join(KNOBS)}")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the `JOBS` setting: a number of seconds; a text where `minimum` is None, or else a dictionary."""

    name: str
    default: float | str | Mapping[str, Any] | None
    minimum: float | None
    help: str

    @property
    def is_dictionary(self) -> bool:
        return isinstance(self.default, Mapping)


KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key(
            name="LEASE_SECONDS",
            default=None,
            minimum=1,
            help="how long a supervisor may be silent before another takes its jobs; unset, 60, and 300 on SQLite "
            "(longer than any lock wait; a dead process on the same machine is seen at once)",
        ),
        Key(
            name="GRACE_SECONDS",
            default=30.0,
            minimum=0,
            help="how long a stopping supervisor lets running jobs finish",
        ),
        Key(
            name="KILL_GRACE_SECONDS",
            default=3.0,
            minimum=0,
            help="time between TERM and KILL when a job is timed out, cancelled or released",
        ),
        Key(
            name="DATABASE",
            default="default",
            minimum=None,
            help="the alias in `DATABASES` of the database that holds the queue; another than `default` also needs "
            "`jobs.router.QueueRouter` in `DATABASE_ROUTERS`",
        ),
        Key(
            name="LISTEN_DSN",
            default=None,
            minimum=None,
            help="PostgreSQL only: how workers reach the server to LISTEN (a libpq connection string), where the "
            "database itself is reached through a pooler that does not pass notifications on",
        ),
        Key(
            name="COMMANDS",
            default={},
            minimum=None,
            help="commands that the admin may start, by their names: see [Named commands](#named-commands)",
        ),
    )
}


def seconds(name: str) -> float:
    """Return a `JOBS` setting that always has a number."""
    value = _settings()[name]
    assert isinstance(value, int | float)
    return value


def lease_seconds(*, default: float) -> float:
    """Return how long a supervisor may be silent; `default` is the database's own."""
    value = _settings()["LEASE_SECONDS"]
    return default if value is None else float(value)


def database_alias() -> str:
    """Return the alias of the database that holds the queue."""
    return str(_settings()["DATABASE"])


def listen_dsn() -> str | None:
    """Return how to reach PostgreSQL to LISTEN; None is as for everything else."""
    value = _settings()["LISTEN_DSN"]
    return None if value is None else str(value)


def commands() -> Mapping[str, Any]:
    """Return the definitions of the named commands, as they stand in the setting."""
    value = _settings()["COMMANDS"]
    return value if isinstance(value, Mapping) else {}


def problems(configured: object) -> list[str]:
    """Return what is wrong with a `JOBS` setting, a line each. Used by the system checks."""
    if not isinstance(configured, Mapping):
        return ["JOBS must be a dictionary."]
    return [problem for name, value in configured.items() if (problem := _problem(name, value))]


def _problem(name: object, value: object) -> str | None:
    key = KEYS.get(str(name))
    if key is None:
        return f"JOBS[{name!r}] is not a setting; choose from {', '.join(KEYS)}."
    if _fits(key, value):
        return None
    return f"JOBS[{name!r}] must be {_expected(key)}."


def _expected(key: Key) -> str:
    if key.is_dictionary:
        return "a dictionary"
    return "a text" if key.minimum is None else f"a number of seconds from {key.minimum:g} up"


def _fits(key: Key, value: Any) -> bool:
    if key.is_dictionary:
        return isinstance(value, Mapping)
    if value is None:
        return key.default is None
    if key.minimum is None:
        return isinstance(value, str) and bool(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= key.minimum


@cache
def _settings() -> dict[str, Any]:
    configured = getattr(django_settings, "JOBS", {})
    return {name: configured.get(name, key.default) for name, key in KEYS.items()}


def _forget(*, setting: str, **_: object) -> None:
    if setting == "JOBS":
        _settings.cache_clear()


setting_changed.connect(_forget)
