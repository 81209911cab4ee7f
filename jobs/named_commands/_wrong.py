"""What is wrong with a definition, and the readers of loose values that say it."""

from collections.abc import Collection, Mapping
from typing import Any

from django.utils.functional import Promise

DEFINITION_ID = "jobs.E009"  # of the system check
SCRIPT_ID = "jobs.E010"


class WrongDefinition(Exception):
    """A definition that cannot be used. `place` is where in the setting, `check_id` that of the system check."""

    def __init__(self, place: str, problem: str, hint: str, *, check_id: str = DEFINITION_ID) -> None:
        super().__init__(f"{place} {problem}.")
        self.hint = hint
        self.check_id = check_id


def dictionary(place: str, value: object, keys: Collection[str]) -> Mapping[str, Any]:
    """Return `value` if it is a dictionary with no other keys than these. Raise WrongDefinition."""
    known = ", ".join(keys)
    if not isinstance(value, Mapping):
        raise WrongDefinition(place, "is no dictionary", f"Its keys are {known}.")
    for key in value:
        if key not in keys:
            raise WrongDefinition(place, f"has {key!r}, which means nothing", f"Its keys are {known}.")
    return value


def words_of(place: str, definition: Mapping[str, Any], key: str, *, default: str = "") -> str | Promise:
    """Return a text for people, which may be one to be translated."""
    value = definition.get(key, default)
    if isinstance(value, str | Promise):
        return value
    raise WrongDefinition(f"{place}[{key!r}]", "is no text", "It is shown in the admin as it stands.")


def label_of(place: str, definition: Mapping[str, Any], name: str) -> str | Promise:
    """Return the label, or the name as people read it."""
    plain = name.replace("_", " ").replace("-", " ")
    return words_of(place, definition, "label", default=plain[:1].upper() + plain[1:])
