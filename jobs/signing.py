"""Signatures on shell jobs: a row whose command was changed behind the queue's back is noticed before it runs.

`queue.enqueue` signs what it stores; the shell runner verifies what it was given.
"""

import functools
import json
from collections.abc import Mapping
from typing import Protocol

from django.conf import settings
from django.core import signing

SALT = "jobs.shell"


def sign(*, id: str, command: str, uses_shell: bool, cwd: str | None, env: Mapping[str, str] | None) -> str:  # noqa: A002
    """Return the signature of one shell job: of everything that decides what will run."""
    return _signer().signature(_canonical(id=id, command=command, uses_shell=uses_shell, cwd=cwd, env=env))


class Signed(Protocol):
    """What a shell job and its claim have in common."""

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


def is_genuine(job: Signed) -> bool:
    """Return whether a shell job is as it was enqueued."""
    return verify(
        id=job.id, command=job.command, uses_shell=job.uses_shell, cwd=job.cwd, env=job.env, signature=job.signature
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
    if signature is None or command is None:
        return False
    signer = _signer()
    text = _canonical(id=id, command=command, uses_shell=uses_shell, cwd=cwd, env=env)
    try:
        signer.unsign(f"{text}{signer.sep}{signature}")
    except signing.BadSignature:
        return False
    return True


def _canonical(*, env: Mapping[str, str] | None, **values: str | bool | None) -> str:
    """Return the signed text. An empty environment and none at all are the same to a job, so they are here."""
    return _as_json(values | {"env": env or None})


_as_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _signer() -> signing.Signer:
    return _signer_with(settings.SECRET_KEY, tuple(settings.SECRET_KEY_FALLBACKS))


@functools.lru_cache(maxsize=2)  # the keys are the arguments, so changed settings get a new signer
def _signer_with(key: str | bytes, fallback_keys: tuple[str | bytes, ...]) -> signing.Signer:
    return signing.Signer(key=key, fallback_keys=list(fallback_keys), salt=SALT)
