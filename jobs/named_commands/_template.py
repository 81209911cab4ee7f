"""The arguments of a named command as the setting has them: fixed text, and places for the values of parameters."""

import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from jobs.named_commands._wrong import SCRIPT_ID, WrongDefinition

SHELLS = {"sh", "ash", "bash", "csh", "dash", "fish", "ksh", "mksh", "rbash", "tcsh", "zsh"}
SHELLS |= {"su", "runuser"}  # which hand what follows -c to one
VERSION = "0123456789.-"  # bash5, bash-5.2, ksh93
LONG_OPTIONS = {"--command", "--session-command"}


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
    for number in _places_of_scripts(["".join(piece.text for piece in argument) for argument in arguments]):
        if named := risky.intersection(parameters([arguments[number]])):
            hint = """Hand it to the script as an argument: ["sh", "-c", 'pg_dump "$1" | gzip', "sh", "{table}"]."""
            problem = f"would have a shell read the value of {min(named)!r} as code"
            raise WrongDefinition(f"{place}[{number}]", problem, hint, check_id=SCRIPT_ID)


def _places_of_scripts(words: Sequence[str]) -> Iterator[int]:
    """Yield where, behind a shell, scripts stand: the options that announce one, those that follow, and the script."""
    shell = next((number for number, word in enumerate(words) if _is_shell(word)), len(words))
    for number in range(shell + 1, len(words)):
        if _is_option_for_script(words[number]):
            yield from range(number, min(_script_after(words, number) + 1, len(words)))


def _is_shell(word: str) -> bool:
    return PurePosixPath(word).name.rstrip(VERSION) in SHELLS


def _is_option_for_script(word: str) -> bool:
    if word.startswith("--"):
        return word.partition("=")[0] in LONG_OPTIONS
    return word.startswith("-") and "c" in word  # -c, and others with it: -lc, -ce


def _script_after(words: Sequence[str], option: int) -> int:
    """Return the place of the script: behind the options and `--` that follow, and the values that they take."""
    if words[option].startswith("--") and "=" in words[option]:
        return option
    number = option + 1
    while number < len(words) and (words[number].startswith(("-", "+")) or _takes_a_value(words[number - 1])):
        number += 1
    return number


def _takes_a_value(word: str) -> bool:
    return word.startswith(("-", "+")) and not word.startswith("--") and "o" in word.lower()  # -euo pipefail
