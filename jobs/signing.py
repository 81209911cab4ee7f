"""Signatures on what runs code: a row that was changed behind the queue's back is noticed before it runs.

That is the commands of shell jobs, and the lines of management commands. `queue.enqueue` signs what it stores; the
runners verify what they were given.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any, Protocol

from django.conf import settings
from django.core import signing

SALT = "jobs.shell"
MISMATCH = "signature mismatch: the row was changed behind the queue's back"
# Tasks whose arguments are code, as a command is: a line for `manage.py` may be `shell -c …`.
SIGNED_TASKS = frozenset({"jobs.tasks.commands.manage"})


def sign(*, id: str, command: str, uses_shell: bool, cwd: str | None, env: Mapping[str, str] | None) -> str:  # noqa: A002
    """Return the signature of one shell job: of everything that decides what will run."""
    return _signer().signature(_canonical(id=id, command=command, uses_shell=uses_shell, cwd=cwd, env=env))


def sign_task(*, id: str, task: str, args: list[Any] | None, kwargs: Mapping[str, Any] | None) -> str:  # noqa: A002
    """Return the signature of a job of one of `SIGNED_TASKS`."""
    return _signer().signature(_canonical_task(id=id, task=task, args=args, kwargs=kwargs))


class Signed(Protocol):
    """What a job and its claim have in common."""

    @property
    def id(self) -> str: ...
    @property
    def command(self) -> str | None: ...
    @property
    def uses_shell(self) -> bool: ...
    @property
    def cwd(self) -> str | None: ...
    @property
    def env(self) -> Mapping[str, str] | None: ...
    @property
    def signature(self) -> str | None: ...
    @property
    def task(self) -> str | None: ...
    @property
    def args(self) -> list[Any] | None: ...
    @property
    def kwargs(self) -> Mapping[str, Any] | None: ...


def is_refused(job: Signed) -> bool:
    """Return whether a job has to be signed, and is not as it was enqueued."""
    if job.task is not None:
        return job.task in SIGNED_TASKS and not is_genuine_task(job)
    return not is_genuine(job)


def is_genuine_task(job: Signed) -> bool:
    """Return whether a job of one of `SIGNED_TASKS` is as it was enqueued."""
    text = _canonical_task(id=job.id, task=job.task or "", args=job.args, kwargs=job.kwargs)
    return _is_signed(text, job.signature)


def is_genuine(job: Signed) -> bool:
    """Return whether a shell job is as it was enqueued."""
    try:
        env = job.env
    except ValueError:  # a claim's that is no JSON: nobody signed that
        return False
    return verify(
        id=job.id, command=job.command, uses_shell=job.uses_shell, cwd=job.cwd, env=env, signature=job.signature
    )


def verify(
    *,
    id: str,  # noqa: A002
    command: str | None,
    uses_shell: bool,
    cwd: str | None,
    env: Mapping[str, str] | None,
    signature: str | None,
) -> bool:
    """Return whether `signature` was made for exactly these values, with SECRET_KEY or one of SECRET_KEY_FALLBACKS."""
    if command is None:
        return False
    return _is_signed(_canonical(id=id, command=command, uses_shell=uses_shell, cwd=cwd, env=env), signature)


def _is_signed(text: str, signature: str | None) -> bool:
    if signature is None:
        return False
    signer = _signer()
    try:
        signer.unsign(f"{text}{signer.sep}{signature}")
    except signing.BadSignature:
        return False
    return True


def _canonical(*, env: Mapping[str, str] | None, **values: str | bool | None) -> str:
    """Return the signed text. An empty environment and none at all are the same to a job, so they are here."""
    return _as_json(values | {"env": env or None})


def _canonical_task(*, id: str, task: str, args: list[Any] | None, kwargs: Mapping[str, Any] | None) -> str:  # noqa: A002
    return _as_json({"id": id, "task": task, "args": args or [], "kwargs": kwargs or {}})


_as_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _signer() -> signing.Signer:
    return _signer_with(settings.SECRET_KEY, tuple(settings.SECRET_KEY_FALLBACKS))


@functools.lru_cache(maxsize=2)  # the keys are the arguments, so changed settings get a new signer
def _signer_with(key: str | bytes, fallback_keys: tuple[str | bytes, ...]) -> signing.Signer:
    return signing.Signer(key=key, fallback_keys=list(fallback_keys), salt=SALT)
