"""The tree of verbs as data: what may follow where. Made from the parser, for completion scripts and documentation."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jobs import conf
from jobs.states import State

STATES = tuple(State.values)
KEYS = tuple(name.replace("_", "-") for name in conf.KNOBS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One place in the tree. `words` may follow there, with a line on each; those in `valued` take a value."""

    path: str  # `queuectl/dlq/retry`
    words: Mapping[str, str]
    valued: frozenset[str]


def levels(root: argparse.ArgumentParser) -> list[Level]:
    """Return every place, the root first."""
    return list(_levels(root, "queuectl"))


def _levels(parser: argparse.ArgumentParser, path: str) -> Iterator[Level]:
    words: dict[str, str] = {}
    valued: set[str] = set()
    below: Mapping[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below = action.choices
            words.update({choice.dest: choice.help or "" for choice in action._choices_actions})
        elif action.help != argparse.SUPPRESS:
            words.update(_words(action))
            valued.update(action.option_strings if action.nargs is None and action.option_strings else ())
    yield Level(path=path, words=words, valued=frozenset(valued))
    for name, child in below.items():
        yield from _levels(child, f"{path}/{name}")


def _words(action: argparse.Action) -> dict[str, str]:
    """Return what can be typed for an argument: its long options, or the values of one that has few."""
    if action.option_strings:
        return {option: action.help or "" for option in action.option_strings if option.startswith("--")}
    if action.metavar == "KEY":
        return dict.fromkeys(KEYS, "setting")
    return dict.fromkeys((str(choice) for choice in action.choices or ()), "")
