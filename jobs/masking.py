"""Hiding secrets in what is shown: environments and arguments. Pure; the command line and the admin use it.

It goes by names, as Django's debug pages do: a value under a name that sounds secret is hidden, and so is what may be
one inside a URL. A secret in a command line stays visible; it would be in the process list, too.
"""

import re
from collections.abc import Mapping
from typing import Any

MASK = "********"
# django.views.debug.SafeExceptionReporterFilter.hidden_settings, and more that hold secrets in environments.
SECRET_NAME = re.compile(
    "API|AUTH|TOKEN|KEY|SECRET|PASS|PWD$|SIGNATURE|COOKIE|JWT|CREDENTIAL|PRIVATE|DSN", re.IGNORECASE
)
# How user and password of a URL begin; after a name with dots, a number before a slash is a port. A user alone may be a
# token.
_USERINFO = re.compile(r"://([^/:@.]*:|[^/:@]*:(?!\d{1,5}/)|[^/:@?#]+(?=@|$))")
_PARAMETER = re.compile(r"(?<=[?&#])([^?&#=\s]+)=")
_PARAMETER_END = re.compile(r"[&\s]|\Z")
NESTING_MAX = 64  # deeper than any job the command line takes; shallower than Python's own limit


def is_secret(name: str, value: Any) -> bool:
    """Return whether what `value` is must not be shown under that name. That nothing is set may be."""
    return SECRET_NAME.search(name) is not None and value not in (None, "", True, False)


def masked(value: Any) -> Any:
    """Return a copy of a JSON value that may be shown."""
    return _masked(value, NESTING_MAX)


def _masked(value: Any, levels_left: int) -> Any:
    if isinstance(value, str):
        return _without_parameters(_without_userinfo(value))
    if not isinstance(value, Mapping | list):
        return value
    if not levels_left:
        return MASK
    if isinstance(value, list):
        return [_masked(item, levels_left - 1) for item in value]
    return {name: _masked_field(name, item, levels_left - 1) for name, item in value.items()}


def _masked_field(name: str, value: Any, levels_left: int) -> Any:
    return MASK if is_secret(name, value) else _masked(value, levels_left)


def _without_userinfo(text: str) -> str:
    if "://" not in text or "@" not in text:
        return text
    return "".join(_word_without_userinfo(word) for word in re.split(r"(\s+)", text))


def _word_without_userinfo(word: str) -> str:
    """Return a word with the password of its first URL masked, up to its last @: a password may hold one itself."""
    before, at, after = word.rpartition("@")
    found = _USERINFO.search(before)
    if not at or found is None:
        return word
    user = found[1] if found[1].endswith(":") else ""
    return f"{before[: found.start(1)]}{user}{MASK}@{after}"


def _without_parameters(text: str) -> str:
    """Return `text` without the values of parameters that sound secret, each of which ends at the next & or space."""
    shown: list[str] = []
    end = 0
    for found in _PARAMETER.finditer(text):
        if found.start() >= end and SECRET_NAME.search(found[1]):
            shown += [text[end : found.end()], MASK]
            end = _end_of_parameter(text, found.end())
    return "".join([*shown, text[end:]])


def _end_of_parameter(text: str, start: int) -> int:
    found = _PARAMETER_END.search(text, start)
    return len(text) if found is None else found.start()
