"""The argument parser: errors in one line with a suggestion, help with examples, the same on every Python.

`Verbs` builds the tree; the modules of the verbs fill it.
"""

import argparse
import difflib
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from django.core.management import CommandError

from jobs.cli.output import Output, brief

Run = Callable[[argparse.Namespace, Output], int]

HELP_WIDTH_MAX = 100  # longer lines are hard to read
USAGE_EXIT_CODE = 2
END_OF_OPTIONS = "--"
VERBATIM_VERB = "enqueue"  # what follows `--` is a command, not arguments of ours


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, with the options' explanations in one column."""

    def __init__(self, prog: str, **_: Any) -> None:
        columns = shutil.get_terminal_size().columns - 2
        super().__init__(prog, max_help_position=30, width=min(columns, HELP_WIDTH_MAX))


class Parser(argparse.ArgumentParser):
    """One level of the tree: the command itself, a noun, or a verb.

    `is_interactive` decides whether a wrong argument ends the process, or raises the CommandError of `call_command`.
    """

    def __init__(self, *, is_interactive: bool, **options: Any) -> None:
        self.is_interactive = is_interactive
        self.overview: Callable[[], str] | None = None  # the help of a level that has verbs
        super().__init__(**{"formatter_class": Formatter, "allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        line = f"{self.prog}: {brief(message.removeprefix('argument '))} (see {self.prog} --help)"
        if not self.is_interactive:
            raise CommandError(line, returncode=USAGE_EXIT_CODE)
        self.exit(USAGE_EXIT_CODE, f"{line}\n")

    def format_help(self) -> str:
        """Return the help with a short usage; argparse's own repeats every option in it."""
        if self.overview is not None:
            return self.overview()
        positionals = [action for action in self._actions if not action.option_strings]
        self.usage = " ".join([self.prog, "[options]", *(_placeholder(action) for action in positionals)])
        return super().format_help()

    def parse_known_args(  # type: ignore[override]  # the stubs overload it on the namespace's type
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse, and refuse what is left over here, where the verb it was meant for is known."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(self._unknown(unknown[0]))
        return parsed, []

    def _unknown(self, argument: str) -> str:
        if not argument.startswith("-"):
            return f"{argument!r} is one argument too many"
        option = argument.partition("=")[0]
        if self.prog.endswith(f" {VERBATIM_VERB}") and not option.startswith("--"):
            return f"there is no option {option}; write a command with options after --"
        known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        return f"there is no option {option}{_suggestion(option, known)}"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Name the nearest choice; argparse would list all of them."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        word = "verb" if isinstance(action, argparse._SubParsersAction) else "choice"
        hint = _suggestion(str(value), choices) or f"; choose from {', '.join(choices)}"
        self.error(f"there is no {word} {str(value)[:60]!r}{hint}")


class RootParser(Parser):
    """The whole command. `words` are what stands after `--` in an `enqueue`, None where there is no `--`."""

    verbs: tuple[str, ...] = ()

    def parse_args(  # type: ignore[override]  # the stubs overload it on the namespace's type
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        argv = sys.argv[1:] if args is None else list(args)
        self._refuse_broken_text(argv)
        own, words = split_verbatim(argv, self.verbs)
        options: argparse.Namespace = super().parse_args(own, namespace)
        options.words = words
        return options

    def _refuse_broken_text(self, argv: Sequence[str]) -> None:
        """Bytes that are no UTF-8 arrive as lone surrogates, which no database takes."""
        for place, argument in enumerate(argv, start=1):
            try:
                argument.encode()
            except UnicodeEncodeError:
                self.error(f"word {place} is not valid UTF-8")


class Verbs:
    """A level of the tree under construction."""

    def __init__(self, parser: Parser, *, common: Iterable[Parser]) -> None:
        self._common = list(common)
        self.parser = parser
        self.summaries: dict[str, str] = {}
        self._actions = parser.add_subparsers(title="verbs", metavar="VERB", parser_class=Parser)

    def add(self, name: str, run: Run, *, summary: str, examples: Sequence[str], about: str = "") -> Parser:
        """Add a verb. `about` follows the summary in its help; `examples` are full command lines."""
        parser = self._parser(name, summary, about, examples)
        parser.set_defaults(run=run, needs_database=True)
        return parser

    def add_noun(self, name: str, *, summary: str, examples: Sequence[str], about: str = "") -> "Verbs":
        """Add a noun with verbs of its own."""
        parser = self._parser(name, summary, about, examples)
        parser.set_defaults(run=_missing_verb(parser))
        below = Verbs(parser, common=self._common)
        parser.overview = below.overview
        return below

    def overview(self) -> str:
        """Return the help of a noun."""
        usage = f"usage: {self.parser.prog} VERB …"
        verbs = listed("verbs", self.summaries)
        return "\n\n".join([usage, str(self.parser.description), verbs, f"{self.parser.epilog}\n"])

    def _parser(self, name: str, summary: str, about: str, examples: Sequence[str]) -> Parser:
        self.summaries[name] = summary
        sentence = f"{summary[0].upper()}{summary[1:]}."
        parser: Parser = self._actions.add_parser(
            name,
            help=summary,
            description=f"{sentence}\n\n{about}" if about else sentence,
            epilog="\n".join(["examples:", *(f"  {example}" for example in examples)]),
            parents=self._common,
            is_interactive=self.parser.is_interactive,
        )
        return parser


def listed(title: str, summaries: Mapping[str, str]) -> str:
    """Return verbs with what they do, under a title."""
    return "\n".join([title, *(f"  {verb:<12}{summary}" for verb, summary in summaries.items())])


def _placeholder(action: argparse.Action) -> str:
    name = str(action.metavar)
    return {"*": f"[{name} …]", "+": f"{name} …", "?": f"[{name}]"}.get(str(action.nargs), name)


def split_verbatim(arguments: Sequence[str], verbs: Iterable[str]) -> tuple[list[str], list[str] | None]:
    """Split an `enqueue` at its first `--`; argparse treats that word differently from one Python to the next."""
    known = set(verbs)
    verb = next((argument for argument in arguments if argument in known), None)
    if verb != VERBATIM_VERB or END_OF_OPTIONS not in arguments:
        return list(arguments), None
    place = list(arguments).index(END_OF_OPTIONS)
    return list(arguments[:place]), list(arguments[place + 1 :])


def _missing_verb(parser: Parser) -> Run:
    def run(_options: argparse.Namespace, _output: Output) -> int:
        action = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parser.error(f"a verb is missing: {', '.join(action.choices)}")

    return run


def _suggestion(word: str, choices: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(choices), n=1)
    return f"; did you mean {near[0]}?" if near else ""
