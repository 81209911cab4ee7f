"""`queuectl completion`: static scripts for three shells, written from the tree of verbs. No Django at TAB."""

import functools
from argparse import Namespace
from collections.abc import Callable, Iterable

from jobs.cli import tree
from jobs.cli.output import Output
from jobs.cli.parser import Parser, Verbs
from jobs.cli.tree import Level

BASH = """\
# Completion of queuectl for bash. Load it with: source <(queuectl completion bash)
_queuectl() {
    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" place=queuectl word index words
    for ((index = 1; index < COMP_CWORD; index++)); do
        word="${COMP_WORDS[index]}"
        [[ $word == -- ]] && return
        case "$place/$word" in
            %(places)s) place="$place/$word" ;;
        esac
    done
    case "$previous" in
        --file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --cwd) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        --state) words="%(states)s" ;;
        %(valued)s) return ;;
        *)
            case "$place" in
%(cases)s
            esac
            ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _queuectl queuectl
"""

ZSH = """\
#compdef queuectl
# Completion of queuectl for zsh. Load it with: source <(queuectl completion zsh)
_queuectl() {
    local place=queuectl word
    local -a choices
    for word in "${(@)words[2,CURRENT-1]}"; do
        [[ $word == -- ]] && return
        case "$place/$word" in
            %(places)s) place="$place/$word" ;;
        esac
    done
    case "${words[CURRENT-1]}" in
        --file) _files; return ;;
        --cwd) _files -/; return ;;
        --state) choices=(%(states)s) ;;
        %(valued)s) return ;;
        *)
            case "$place" in
%(cases)s
            esac
            ;;
    esac
    _describe queuectl choices
}
compdef _queuectl queuectl
"""

FISH = """\
# Completion of queuectl for fish. Load it with: queuectl completion fish | source
function __queuectl_place
    set -l place queuectl
    for word in (commandline -opc)[2..-1]
        switch "$place/$word"
            case %(places)s
                set place "$place/$word"
        end
    end
    echo $place
end
complete -c queuectl -f
%(lines)s
"""


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "completion",
        functools.partial(run, root=verbs.parser),
        summary="print a script that completes this command",
        examples=("source <(queuectl completion bash)", "queuectl completion fish | source"),
    )
    parser.set_defaults(needs_database=False)
    parser.add_argument("shell", metavar="SHELL", choices=sorted(SCRIPTS), help="bash, zsh or fish")


def run(options: Namespace, output: Output, *, root: Parser) -> int:
    output.stored(script(options.shell, root))
    return 0


def script(shell: str, root: Parser) -> str:
    """Return the completion script for `shell`."""
    return SCRIPTS[shell](tree.levels(root))


def _bash(levels: list[Level]) -> str:
    cases = [f'                {level.path}) words="{" ".join(level.words)}" ;;' for level in levels]
    return BASH % _parts(levels, cases, separator="|")


def _zsh(levels: list[Level]) -> str:
    cases = []
    for level in levels:
        choices = " ".join(_quoted(f"{word}:{text}") for word, text in level.words.items())
        cases.append(f"                {level.path}) choices=({choices}) ;;")
    return ZSH % _parts(levels, cases, separator="|")


def _parts(levels: list[Level], cases: list[str], *, separator: str) -> dict[str, str]:
    return {
        "places": separator.join(level.path for level in levels[1:]),
        "states": " ".join(tree.STATES),
        "valued": separator.join(_valued(levels)),
        "cases": "\n".join(cases),
    }


def _valued(levels: Iterable[Level]) -> list[str]:
    """Return the options that take a value nobody can guess."""
    return sorted({option for level in levels for option in level.valued} - {"--file", "--cwd", "--state"})


def _fish(levels: list[Level]) -> str:
    lines = [line for level in levels for line in _fish_lines(level)]
    return FISH % {"places": " ".join(level.path for level in levels[1:]), "lines": "\n".join(lines)}


def _fish_lines(level: Level) -> Iterable[str]:
    here = f"complete -c queuectl -n 'test (__queuectl_place) = {level.path}'"
    for word, text in level.words.items():
        if not word.startswith("--"):
            yield f"{here} -a {word} -d {_quoted(text)}"
        elif word in ("--file", "--cwd"):
            yield f"{here} -l {word[2:]} -rF -d {_quoted(text)}"
        elif word == "--state":
            yield f"{here} -l state -x -a '{' '.join(tree.STATES)}' -d {_quoted(text)}"
        else:
            takes_value = " -x" if word in level.valued else ""
            yield f"{here} -l {word[2:]}{takes_value} -d {_quoted(text)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "’") + "'"


SCRIPTS: dict[str, Callable[[list[Level]], str]] = {"bash": _bash, "fish": _fish, "zsh": _zsh}
