"""JSON from people: parsed strictly, and refused in one plain line. Pure; the command line reads jobs through it.

Python's own parser lets pass what another would read differently: a key twice, NaN, numbers no database can hold.
"""

import json
import math
from typing import Any

from jobs.errors import InvalidInput

DOCUMENT_MAX_BYTES = 1_048_576  # above the largest job there can be (jobs.new_job), with room for escapes
NESTING_MAX = 32  # MariaDB's limit for a JSON column, the lowest of the databases
NUMBER_MAX_CHARACTERS = 308  # as long as the largest float; int() takes quadratic time, and refuses 4,300 digits
FIELD = "JSON"


def loads(document: str | bytes) -> Any:
    """Return the value of one JSON document. Raise InvalidInput, which names a field or a position."""
    text = _text(document)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(FIELD, _plain(error)) from None
    except RecursionError:
        raise _too_deep() from None
    _refuse_deep(value)
    return value


def load_field(field: str, document: str) -> Any:
    """Return the same for the value of one field, which a refusal names."""
    try:
        return loads(document)
    except InvalidInput as error:
        raise InvalidInput(field, error.problem) from None


def load_object(document: str | bytes) -> dict[str, Any]:
    """Return the same for a document that must be an object."""
    value = loads(document)
    if not isinstance(value, dict):
        raise InvalidInput(FIELD, 'must be an object such as {"command": "echo hi"}')
    return value


def _text(document: str | bytes) -> str:
    size_bytes = len(document) if isinstance(document, bytes) else len(document.encode(errors="surrogatepass"))
    if size_bytes > DOCUMENT_MAX_BYTES:
        raise InvalidInput(FIELD, f"has {size_bytes:,} bytes; at most {DOCUMENT_MAX_BYTES:,} are taken")
    try:
        text = document.decode() if isinstance(document, bytes) else document
    except UnicodeDecodeError as error:
        raise InvalidInput(FIELD, f"is not UTF-8 at byte {error.start + 1}") from None
    if text.startswith("\ufeff"):
        raise InvalidInput(FIELD, "starts with a byte order mark; save it as UTF-8 without one")
    if not text.strip():
        raise InvalidInput(FIELD, "is empty")
    return text


def _plain(error: json.JSONDecodeError) -> str:
    if error.msg == "Extra data":
        return f"has more after its end, from character {error.pos + 1} on"
    return f"{error.msg[0].lower()}{error.msg[1:].removesuffix(' at')} at character {error.pos + 1}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidInput(key if key.isidentifier() else FIELD, "the same name stands twice in one object")
        found[key] = value
    return found


def _whole(text: str) -> int:
    return int(_short(text))


def _fraction(text: str) -> float:
    number = float(_short(text))
    if not math.isfinite(number):
        raise InvalidInput(FIELD, f"the number {text[:20]} is too large")
    return number


def _short(text: str) -> str:
    if len(text) > NUMBER_MAX_CHARACTERS:
        raise InvalidInput(FIELD, f"the number {text[:20]}… is too long, with {len(text):,} characters")
    return text


def _no_constant(name: str) -> None:
    raise InvalidInput(FIELD, f"{name} is not a number")


def _refuse_deep(value: Any) -> None:
    """Walk level by level: recursion would meet the interpreter's limit before ours."""
    level, depth = [value], 0
    while level := [child for parent in level for child in _children(parent)]:
        depth += 1
        if depth > NESTING_MAX:
            raise _too_deep()


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _too_deep() -> InvalidInput:
    return InvalidInput(FIELD, f"is nested more than {NESTING_MAX} levels deep")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction, parse_constant=_no_constant
)
