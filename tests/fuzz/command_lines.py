"""Command lines made of the parser's own tree: every verb and option there is, with values that may fit or not."""

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.fuzz.values import HOSTILE, KNOWN, SURROGATES

# `--traceback` shows tracebacks, the others are Django's, read before our parser sees them.
LEFT_OUT = {"--traceback", "--settings", "--pythonpath"}
SWITCHES = (argparse._StoreTrueAction, argparse.BooleanOptionalAction, argparse._HelpAction, argparse._VersionAction)


@dataclass(frozen=True, slots=True)
class Place:
    """One place in the tree: the words that lead there, and what may follow."""

    words: tuple[str, ...]
    positionals: tuple[argparse.Action, ...]
    options: tuple[argparse.Action, ...]


def places(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[Place]:
    """Yield every place, the root first."""
    below: dict[str, argparse.ArgumentParser] = {}
    positionals, options = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below = action.choices
        elif not action.option_strings:
            positionals.append(action)
        elif not LEFT_OUT & set(action.option_strings):
            options.append(action)
    yield Place(words, tuple(positionals), tuple(options))
    for name, child in below.items():
        yield from places(child, (*words, name))


def mutated(place: Place, chance: random.Random) -> list[str]:
    """Return words that lead to a place and go on there, rightly or wrongly."""
    words = [word for action in place.positionals for word in _positional(action, chance)]
    for action in chance.sample(place.options, min(len(place.options), chance.choice([0, 0, 1, 1, 2, 3]))):
        words += _option(action, chance)
    if chance.random() < 0.1:
        words.insert(chance.randrange(len(words) + 1), _value(chance))
    if chance.random() < 0.1 and words:
        del words[chance.randrange(len(words))]
    if chance.random() < 0.05:
        chance.shuffle(words)
    return [*place.words, *words]


def _positional(action: argparse.Action, chance: random.Random) -> list[str]:
    counts = {"None": [1, 1, 1, 0, 2], "?": [0, 1, 1, 2]}.get(str(action.nargs), [0, 1, 1, 2, 3])
    return [_value(chance, action) for _ in range(chance.choice(counts))]


def _option(action: argparse.Action, chance: random.Random) -> list[str]:
    name = chance.choice(action.option_strings)
    if isinstance(action, SWITCHES):
        return [name if chance.random() < 0.9 else f"{name}={_value(chance)}"]
    value = _value(chance, action)
    return [f"{name}={value}"] if chance.random() < 0.5 else [name, value]


def _value(chance: random.Random, action: argparse.Action | None = None) -> str:
    if action is not None and action.choices and chance.random() < 0.5:
        return str(chance.choice(list(action.choices)))
    dice = chance.random()
    if dice < 0.4:
        return chance.choice(KNOWN)
    if dice < 0.97:
        return chance.choice(HOSTILE)
    return chance.choice(SURROGATES)
