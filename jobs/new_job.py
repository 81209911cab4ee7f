"""What a person asks to be enqueued: read from loose values, checked field by field, before anything is stored.

Every limit is here. Called by the interfaces, which pass the result to `queue.enqueue`.
"""

import json
import math
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from jobs import conf, durations
from jobs.errors import InvalidInput
from jobs.states import Kind

NAME_MAX_CHARACTERS = 64  # ids and queue names: what django.tasks allows for a result's id
COMMAND_MAX_BYTES = 131_071  # Linux takes no longer argument (MAX_ARG_STRLEN)
PATH_MAX_BYTES = 4_095  # Linux: PATH_MAX, less its NUL
ENV_MAX_BYTES = 65_536  # leaves room for the command beside it, and a list page stays small
ARGUMENTS_MAX_BYTES = 262_144  # as JSON; larger data belongs in a file or a table that the task is told of
TASK_MAX_CHARACTERS = 255
YEARS_AHEAD_MAX = 100  # a run_at beyond this is a slip of the keyboard
RESERVED_ENV_PREFIX = "QUEUECTL_"


class NewJob(NamedTuple):
    """A checked request. `id` of None: one will be made. `run_at` of None: now."""

    id: str | None
    kind: Kind
    queue: str = "default"
    priority: int = 0
    run_at: datetime | None = None
    command: str | None = None
    uses_shell: bool = True
    cwd: str | None = None
    env: dict[str, str] | None = None
    task: str | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    backend: str | None = None
    max_retries: int | None = None
    backoff_base: float | None = None
    backoff_max_seconds: float | None = None
    timeout_seconds: float | None = None


def from_fields(fields: Mapping[str, Any], *, now: datetime) -> NewJob:
    """Return the job that `fields`, the keys of the JSON form, ask for. Raise InvalidInput for the first wrong one."""
    _refuse_unknown(fields)
    given = {name: value for name, value in fields.items() if value is not None}
    what = _task(given) if "task" in given else _shell(given)
    return NewJob(
        id=name("id", given["id"]) if "id" in given else None,
        queue=queue_name(given.get("queue", "default")),
        priority=_priority(given.get("priority", 0)),
        run_at=_run_at(given, now),
        max_retries=_max_retries(given),
        backoff_base=_number_or_refuse("backoff_base", given["backoff_base"]) if "backoff_base" in given else None,
        backoff_max_seconds=conf.KNOBS["backoff_max"].clean(given["backoff_max"]) if "backoff_max" in given else None,
        timeout_seconds=_timeout_seconds(given),
        **what,
    )


FIELDS = (
    "id", "command", "task", "args", "kwargs", "queue", "priority",
    "run_at", "delay", "max_retries", "backoff_base", "backoff_max", "timeout", "cwd", "env",
)  # fmt: skip


def _refuse_unknown(fields: Mapping[str, Any]) -> None:
    for field in fields:
        if field not in FIELDS:
            raise InvalidInput(shown(field), f"is not a field of a job; choose from {', '.join(FIELDS)}")


def shown(value: object, limit: int = 60) -> str:
    """Return a user's own value as it may stand in a one-line message: printable, and short."""
    text = "".join(character if character.isprintable() else "?" for character in str(value)[: limit + 1])
    return text if len(text) <= limit else f"{text[:limit]}…"


def name(field: str, value: object) -> str:
    """Return `value` if it can be an id or a queue's name: 1 to 64 printable characters, no space, no leading dash."""
    if not isinstance(value, str):
        raise InvalidInput(field, "must be a text")
    if not 1 <= len(value) <= NAME_MAX_CHARACTERS:
        raise InvalidInput(field, f"must have 1 to {NAME_MAX_CHARACTERS} characters")
    if not value.isprintable() or " " in value:  # the one space that is printable
        raise InvalidInput(field, "must be printable and without spaces")
    if value.startswith(("-", "{")):
        raise InvalidInput(field, "must not start with a dash or a brace, which the command line gives a meaning")
    return value


def queue_name(value: object) -> str:
    if value == "*":
        raise InvalidInput("queue", "must not be *, which stands for all queues")
    return name("queue", value)


def _shell(given: Mapping[str, Any]) -> dict[str, Any]:
    if "command" not in given:
        raise InvalidInput("command", "is missing; a job needs a command or a task")
    for field in ("args", "kwargs"):
        if field in given:
            raise InvalidInput(field, "goes with a task, not with a command")
    command, uses_shell = _command(given["command"])
    return {
        "kind": Kind.SHELL,
        "command": command,
        "uses_shell": uses_shell,
        "cwd": _cwd(given["cwd"]) if "cwd" in given else None,
        "env": _env(given["env"]) if "env" in given else None,
    }


def _command(value: object) -> tuple[str, bool]:
    """Return the stored form: a text is for /bin/sh; a list of words is run without a shell and stored quoted."""
    if isinstance(value, str):
        if not value.strip():
            raise InvalidInput("command", "must not be empty")
        return _text("command", value, COMMAND_MAX_BYTES), True
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        if not value[0]:
            raise InvalidInput("command", "must start with the name of a program")
        for word in value:
            _text("command", word, COMMAND_MAX_BYTES)
        return _text("command", shlex.join(value), COMMAND_MAX_BYTES), False
    raise InvalidInput("command", "must be a text for the shell, or a list of words to run without one")


def _text(field: str, value: object, max_bytes: int) -> str:
    """Return `value` if it is a text that every database and the operating system can hold."""
    if not isinstance(value, str):
        raise InvalidInput(field, "must be a text")
    if "\0" in value:
        raise InvalidInput(field, "must not contain a NUL character")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidInput(field, "must be valid Unicode, without lone surrogates") from None
    if size > max_bytes:
        raise InvalidInput(field, f"must have at most {max_bytes} bytes")
    return value


def _cwd(value: object) -> str:
    cwd = _text("cwd", value, PATH_MAX_BYTES)
    if not cwd.startswith("/"):
        raise InvalidInput("cwd", "must be an absolute path; a worker may run anywhere")
    return cwd


def _env(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InvalidInput("env", "must be an object of names and texts")
    for key, text in value.items():
        _text("env", key, ENV_MAX_BYTES)
        _text(f"env {shown(key)}", text, ENV_MAX_BYTES)
        if not key or "=" in key:
            raise InvalidInput("env", f"{shown(key)!r} cannot be the name of a variable")
        if key.startswith(RESERVED_ENV_PREFIX):
            raise InvalidInput("env", f"{shown(key)} is set by the queue, as is all of {RESERVED_ENV_PREFIX}*")
    _json("env", value, ENV_MAX_BYTES)
    return value


def task_path(value: object) -> str:
    """Return `value` if it can be the path of a task."""
    path = _text("task", value, TASK_MAX_CHARACTERS)
    parts = path.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise InvalidInput("task", "must be the dotted path of a task function, such as app.tasks.send")
    return path


def _task(given: Mapping[str, Any]) -> dict[str, Any]:
    for field in ("command", "cwd", "env"):
        if field in given:
            raise InvalidInput(field, "goes with a command, not with a task")
    task = task_path(given["task"])
    return {"kind": Kind.TASK, "task": task, **arguments(given.get("args", []), given.get("kwargs", {}))}


def arguments(args: object, kwargs: object) -> dict[str, Any]:
    """Return the fields `args` and `kwargs` of a NewJob. Raise InvalidInput if they cannot be those of a task."""
    if not isinstance(args, list):
        raise InvalidInput("args", "must be a list")
    if not isinstance(kwargs, dict):
        raise InvalidInput("kwargs", "must be an object")
    _json("args", args, ARGUMENTS_MAX_BYTES)
    _json("kwargs", kwargs, ARGUMENTS_MAX_BYTES)
    return {"args": args, "kwargs": kwargs}


# As JSON writes it; behind an even number of backslashes, which are texts of their own.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _json(field: str, value: list[Any] | dict[str, Any], max_bytes: int) -> None:
    """Refuse what cannot be stored as JSON and read back the same."""
    if not value:
        return
    try:
        text = _in_ascii(value)
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput(field, "must be plain JSON, with finite numbers") from None
    if len(text) <= max_bytes and "\\u" not in text:  # so nothing in it is out of the ordinary
        return
    text = json.dumps(value, ensure_ascii=False)
    _text(field, text, max_bytes)
    if _NUL.search(text):
        raise InvalidInput(field, "must not contain a NUL character")


_in_ascii = json.JSONEncoder(allow_nan=False).encode


def _priority(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -100 <= value <= 100:
        raise InvalidInput("priority", "must be a whole number from -100 to 100; larger runs sooner")
    return value


def _max_retries(given: Mapping[str, Any]) -> int | None:
    if "max_retries" not in given:
        return None
    return int(_number_or_refuse("max_retries", given["max_retries"]))


def _number_or_refuse(field: str, value: object) -> float:
    if isinstance(value, str):
        raise InvalidInput(field, "must be a number")
    return conf.KNOBS[field].clean(value)


def _timeout_seconds(given: Mapping[str, Any]) -> float | None:
    return conf.KNOBS["timeout"].clean(given["timeout"]) if "timeout" in given else None


def _run_at(given: Mapping[str, Any], now: datetime) -> datetime | None:
    if "run_at" in given and "delay" in given:
        raise InvalidInput("delay", "and run_at exclude each other")
    if "delay" in given:
        return now + timedelta(seconds=_delay_seconds(given["delay"]))
    return _moment(given["run_at"], now) if "run_at" in given else None


def _delay_seconds(value: object) -> float:
    problem = f"must be seconds or a duration such as {durations.EXAMPLES}, of at most {YEARS_AHEAD_MAX} years"
    try:
        seconds = durations.parse(value) if isinstance(value, str) else _finite(value)
    except (ValueError, OverflowError):
        raise InvalidInput("delay", problem) from None
    if not 0 <= seconds <= YEARS_AHEAD_MAX * 365 * conf.DAY_SECONDS:
        raise InvalidInput("delay", problem)
    return seconds


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a finite number")
    return float(value)


def _moment(value: object, now: datetime) -> datetime:
    """Return an aware datetime in UTC. A time without a zone is read in the site's time zone."""
    moment = value if isinstance(value, datetime) else _parsed(value)
    if moment is None:
        raise InvalidInput("run_at", "must be an ISO time such as 2026-12-31T23:59:00Z")
    try:
        moment = (moment if timezone.is_aware(moment) else timezone.make_aware(moment)).astimezone(UTC)
    except OverflowError:
        moment = None
    if moment is None or abs(moment.year - now.year) > YEARS_AHEAD_MAX:
        raise InvalidInput("run_at", f"must be within {YEARS_AHEAD_MAX} years")
    return moment


def _parsed(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > NAME_MAX_CHARACTERS:
        return None
    try:
        return parse_datetime(value)
    except ValueError:
        return None
