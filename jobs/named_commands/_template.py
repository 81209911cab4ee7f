"""The arguments of a named command as the setting has them: fixed text, and places for the values of parameters."""

import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from jobs.named_commands._wrong import SCRIPT_ID, WrongDefinition

SHELLS = {"sh", "ash", "bash", "csh", "dash", "fish", "ksh", "mksh", "rbash", "tcsh", "zsh"}


class Piece(NamedTuple):
    """A fixed text, and the parameter that follows it, if one does."""

    text: str
    parameter: str | None


Argument = tuple[Piece, ...]


def read(place: str, command: object) -> tuple[Argument, ...]:
    """Return the arguments of a command, the program first. Raise WrongDefinition."""
    hint = 'Write it as a list of its words, which no shell reads: ["pg_dump", "--table={table}"].'
    if isinstance(command, str):
        raise WrongDefinition(place, "is one text", hint)
    if not isinstance(command, list | tuple) or not command or not all(isinstance(word, str) for word in command):
        raise WrongDefinition(place, "is no list of texts", hint)
    arguments = tuple(_argument(f"{place}[{number}]", word) for number, word in enumerate(command))
    if parameters([arguments[0]]):
        raise WrongDefinition(f"{place}[0]", "lets a parameter choose the program", "Name the program itself.")
    return arguments


def _argument(place: str, word: str) -> Argument:
    hint = "{name} is the place of a parameter; for a brace as it stands write it twice: {{ or }}."
    try:
        parsed = list(string.Formatter().parse(word))
    except ValueError as error:
        raise WrongDefinition(place, f"cannot be read: {error}", hint) from None
    for _, name, form, conversion in parsed:
        if name is not None and (not name.isidentifier() or form or conversion):
            raise WrongDefinition(place, f"has a {{{name}}} that is no parameter", hint)
    return tuple(Piece(text, name) for text, name, _, _ in parsed)


def parameters(arguments: Sequence[Argument]) -> list[str]:
    """Return the names of the parameters that have a place."""
    return [piece.parameter for argument in arguments for piece in argument if piece.parameter is not None]


def beginning(arguments: Sequence[Argument]) -> set[str]:
    """Return those that stand at the beginning of an argument, where a dash makes an option of it."""
    first = [argument[0] for argument in arguments if argument]
    return {piece.parameter for piece in first if piece.parameter is not None and not piece.text}


def filled(arguments: Sequence[Argument], values: Mapping[str, str]) -> list[str]:
    """Return the words to run: as many as there are arguments, whatever the values are."""
    return ["".join(_pieces(argument, values)) for argument in arguments]


def _pieces(argument: Argument, values: Mapping[str, str]) -> Iterator[str]:
    for text, parameter in argument:
        yield text
        if parameter is not None:
            yield values[parameter]


def refuse_script(place: str, arguments: Sequence[Argument], risky: set[str]) -> None:
    """Refuse a parameter of these within the script of a shell, which would read its value as code."""
    has_shell = False
    for number, argument in enumerate(arguments):
        is_script = has_shell and _is_option_for_script(arguments[number - 1])
        if is_script and (named := risky.intersection(parameters([argument]))):
            hint = """Hand it to the script as an argument: ["sh", "-c", 'pg_dump "$1" | gzip', "sh", "{table}"]."""
            problem = f"would have a shell read the value of {min(named)!r} as code"
            raise WrongDefinition(f"{place}[{number}]", problem, hint, check_id=SCRIPT_ID)
        has_shell = has_shell or PurePosixPath(_fixed(argument)).name in SHELLS


def _is_option_for_script(argument: Argument) -> bool:
    text = _fixed(argument)  # -c, and others with it: -lc, -ce
    return text.startswith("-") and not text.startswith("--") and "c" in text


def _fixed(argument: Argument) -> str:
    """Return the text of an argument; nothing if a parameter has a place in it."""
    return "" if parameters([argument]) else "".join(piece.text for piece in argument)
