"""Signatures on shell jobs: a row whose command was changed behind the queue's back is noticed before it runs.

`queue.enqueue` signs what it stores; the shell runner verifies what it was given.
"""

import functools
import json
from collections.abc import Mapping

from django.conf import settings
from django.core import signing

SALT = "jobs.shell"


def sign(*, id: str, command: str, uses_shell: bool, cwd: str | None, env: Mapping[str, str] | None) -> str:  # noqa: A002
    """Return the signature of one shell job: of everything that decides what will run."""
    return _signer().signature(_canonical(id=id, command=command, uses_shell=uses_shell, cwd=cwd, env=env))


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
    return json.dumps(values | {"env": env or None}, sort_keys=True, separators=(",", ":"))


def _signer() -> signing.Signer:
    return _signer_with(settings.SECRET_KEY, tuple(settings.SECRET_KEY_FALLBACKS))


@functools.lru_cache(maxsize=2)  # the keys are the arguments, so changed settings get a new signer
def _signer_with(key: str | bytes, fallback_keys: tuple[str | bytes, ...]) -> signing.Signer:
    return signing.Signer(key=key, fallback_keys=list(fallback_keys), salt=SALT)
