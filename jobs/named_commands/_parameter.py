"""The parameters of named commands: which values each takes. There is none that takes anything at all."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.functional import Promise

from jobs.errors import InvalidInput
from jobs.named_commands._wrong import WrongDefinition, dictionary, label_of, words_of

VALUE_MAX_CHARACTERS = 1_024  # a path; longer data belongs in a file that the command is told of
PATTERN_MAX_CHARACTERS = 64  # where nothing is said: a name
CHOICES_SHOWN_MAX = 10
WHOLE = re.compile(r"-?[0-9]{1,18}")  # within 64 bits, which is what most programs read
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

PARAMETER_KEYS = {
    "choices": "list of the texts and whole numbers it may be",
    "type": '`"integer"`: a whole number; with `min` and `max`',
    "min": "the smallest number it may be",
    "max": "the largest number it may be",
    "pattern": "regular expression that the whole text must match",
    "max_length": f"with `pattern`: so many characters at most; {PATTERN_MAX_CHARACTERS} if absent, "
    f"{VALUE_MAX_CHARACTERS:,} at most",
    "may_begin_with_dash": "with `pattern`: true lets it begin an argument with a dash, as options do",
    "default": "what the form is filled with",
    "label": "its name for people; made from its name if absent",
    "help": "one sentence on what it means",
}
KINDS = 'Give it one of "choices", "type": "integer" with "min" and "max", or "pattern".'


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(ABC):
    """One value of a command that whoever starts it chooses. `begins_argument`: it stands where an option would."""

    name: str
    label: str | Promise
    help: str | Promise
    begins_argument: bool
    default: str = ""
    may_begin_with_dash: bool = True  # who wrote out choices or a smallest number meant those, too

    @property
    @abstractmethod
    def bounds(self) -> str:
        """Say what it may be, as what follows "must be"."""

    @abstractmethod
    def accepted(self, text: str) -> str | None:
        """Return what stands for `text` in the command; None if it may not be that."""

    def clean(self, value: object) -> str:
        """Return what stands for `value` in the command. Raise InvalidInput."""
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not text:
            raise InvalidInput(self.name, f"is missing; it must be {self.bounds}")
        # So no NUL, which ends an argument; no newline; nothing that reads as something else than it is.
        if not text.isprintable():
            raise InvalidInput(self.name, "must be one line of printable characters")
        found = self.accepted(text)
        if found is None:
            raise InvalidInput(self.name, f"must be {self.bounds}")
        if self.begins_argument and found.startswith("-") and not self.may_begin_with_dash:
            raise InvalidInput(self.name, "must not begin with a dash, which the program could take for an option")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Parameter):
    """One of a few texts."""

    choices: tuple[str, ...]

    @property
    def bounds(self) -> str:
        more = f" and {len(self.choices) - CHOICES_SHOWN_MAX} more" if len(self.choices) > CHOICES_SHOWN_MAX else ""
        return f"one of {', '.join(self.choices[:CHOICES_SHOWN_MAX])}{more}"

    def accepted(self, text: str) -> str | None:
        return text if text in self.choices else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Parameter):
    """A whole number within bounds."""

    minimum: int
    maximum: int

    @property
    def bounds(self) -> str:
        return f"a whole number from {self.minimum} to {self.maximum}"

    def accepted(self, text: str) -> str | None:
        if not WHOLE.fullmatch(text) or not self.minimum <= int(text) <= self.maximum:
            return None
        return str(int(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching(Parameter):
    """A text that matches a pattern."""

    pattern: re.Pattern[str]
    max_length: int

    @property
    def bounds(self) -> str:
        return f"a text of at most {self.max_length} characters that matches {self.pattern.pattern}"

    def accepted(self, text: str) -> str | None:
        # The length first: a pattern may take long for a long text. One like (a+)* takes hours for 40 characters, too.
        return text if len(text) <= self.max_length and self.pattern.fullmatch(text) else None


def read(place: str, name: object, definition: object, *, begins_argument: bool) -> Parameter:
    """Return the parameter of a definition. Raise WrongDefinition."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        hint = "Use small letters, digits and underscores, and begin with a letter."
        raise WrongDefinition(place, "has a name that no parameter can have", hint)
    given = dictionary(place, definition, PARAMETER_KEYS)
    common = {
        "name": name,
        "label": label_of(place, given, name),
        "help": words_of(place, given, "help"),
        "begins_argument": begins_argument,
    }
    kinds = [kind for kind in READERS if kind in given]
    if len(kinds) != 1:
        raise WrongDefinition(place, "does not say which values it takes" if not kinds else "is of two kinds", KINDS)
    own, read_kind = READERS[kinds[0]]
    for key in given.keys() - own - {kinds[0], "label", "help", "default"}:
        raise WrongDefinition(place, f"has {key!r}, which does not go with {kinds[0]!r}", KINDS)
    return _with_default(place, read_kind(place, given, common), given)


def _with_default(place: str, parameter: Parameter, given: Mapping[str, Any]) -> Parameter:
    if "default" not in given:
        return parameter
    try:
        return replace(parameter, default=parameter.clean(given["default"]))
    except InvalidInput as refusal:
        raise WrongDefinition(f"{place}['default']", refusal.problem, "Correct it, or leave it away.") from None


def _choice(place: str, given: Mapping[str, Any], common: dict[str, Any]) -> Parameter:
    place, values = f"{place}['choices']", given["choices"]
    hint = 'Write it as ["users", "orders"]: texts of one line, or whole numbers.'
    if not isinstance(values, list | tuple) or not values:
        raise WrongDefinition(place, "is no list of values", hint)
    texts = tuple(str(value) if _is_whole(value) else value for value in values)
    for text in texts:
        if not isinstance(text, str) or not text or not text.isprintable() or len(text) > VALUE_MAX_CHARACTERS:
            raise WrongDefinition(place, f"has {text!r}", hint)
    return Choice(choices=texts, **common)


def _whole(place: str, given: Mapping[str, Any], common: dict[str, Any]) -> Parameter:
    minimum: Any = given.get("min")
    maximum: Any = given.get("max")
    if given["type"] != "integer":
        raise WrongDefinition(f"{place}['type']", f"is {given['type']!r}", KINDS)
    if not _is_whole(minimum) or not _is_whole(maximum) or minimum > maximum:
        hint = 'Write it as {"type": "integer", "min": 1, "max": 90}.'
        raise WrongDefinition(place, 'needs whole numbers "min" and "max", in this order', hint)
    return Whole(minimum=minimum, maximum=maximum, **common)


def _matching(place: str, given: Mapping[str, Any], common: dict[str, Any]) -> Parameter:
    max_length, may_begin = given.get("max_length", PATTERN_MAX_CHARACTERS), given.get("may_begin_with_dash", False)
    if not _is_whole(max_length) or not 1 <= max_length <= VALUE_MAX_CHARACTERS:
        hint = f"It is a whole number from 1 to {VALUE_MAX_CHARACTERS}."
        raise WrongDefinition(f"{place}['max_length']", f"is {max_length!r}", hint)
    if not isinstance(may_begin, bool):
        raise WrongDefinition(f"{place}['may_begin_with_dash']", f"is {may_begin!r}", "It is True or False.")
    pattern = _pattern(f"{place}['pattern']", given["pattern"])
    return Matching(pattern=pattern, max_length=max_length, may_begin_with_dash=may_begin, **common)


def _pattern(place: str, value: object) -> re.Pattern[str]:
    hint = 'It is a regular expression as a text, such as "[a-z]+"; the whole value must match it.'
    if not isinstance(value, str):
        raise WrongDefinition(place, f"is {value!r}", hint)
    try:
        return re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise WrongDefinition(place, f"is no regular expression: {error}", hint) from None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# The key that says of which kind a parameter is, which keys go with it, and what reads them.
READERS: dict[str, tuple[set[str], Any]] = {
    "choices": (set(), _choice),
    "type": ({"min", "max"}, _whole),
    "pattern": ({"max_length", "may_begin_with_dash"}, _matching),
}
