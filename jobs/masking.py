"""Hiding secrets in what is shown: environments and arguments. Pure; the command line and the admin use it.

It goes by names, as Django's debug pages do: a value under a name that sounds secret is hidden, and so is a password
inside a URL. A secret in a command line stays visible; it would be in the process list, too.
"""

import re
from collections.abc import Mapping
from typing import Any

MASK = "********"
# django.views.debug.SafeExceptionReporterFilter.hidden_settings, and three more that hold secrets in environments.
SECRET_NAME = re.compile("API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|HTTP_COOKIE|CREDENTIAL|PRIVATE|DSN", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")
NESTING_MAX = 64  # deeper than any job the command line takes; shallower than Python's own limit


def masked(value: Any) -> Any:
    """Return a copy of a JSON value that may be shown."""
    return _masked(value, NESTING_MAX)


def _masked(value: Any, levels_left: int) -> Any:
    if isinstance(value, str):
        return _URL_PASSWORD.sub(rf"\1:{MASK}@", value)
    if not isinstance(value, Mapping | list):
        return value
    if not levels_left:
        return MASK
    if isinstance(value, list):
        return [_masked(item, levels_left - 1) for item in value]
    return {name: _masked_field(name, item, levels_left - 1) for name, item in value.items()}


def _masked_field(name: str, value: Any, levels_left: int) -> Any:
    if SECRET_NAME.search(name) and value not in (None, "", True, False):
        return MASK
    return _masked(value, levels_left)
