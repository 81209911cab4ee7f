"""Writes the parts of the reference that are made from the code: between `<!-- generated: NAME -->` and `<!-- end -->`.

`make docs` calls it; `tests/test_docs.py` fails when a page is out of date. The prose around them is written by hand.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent
REGION = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

sys.path.insert(0, str(DOCS.parent))
from docs import meanings  # noqa: E402 - found once the checkout is on the path


def main() -> int:
    """Bring every page up to date."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"  # a temporary home; no file of the user's is touched
    import django  # noqa: PLC0415 - not before its settings are named

    django.setup()
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (current := brought_up_to_date(text)) != text:
            page.write_text(current, encoding="utf-8")
            print(f"{page.relative_to(DOCS.parent)} is written anew.")
    return 0


def pages() -> list[Path]:
    """Return the pages with generated parts."""
    return [DOCS.parent / "README.md", DOCS / "explanation/proofs.md", *sorted((DOCS / "reference").glob("*.md"))]


def brought_up_to_date(text: str) -> str:
    """Return a page with its generated parts made anew. Needs a Django that is set up."""
    return REGION.sub(lambda found: f"{found[1]}\n{REGIONS[found['name']]().rstrip()}\n\n{found[3]}", text)


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def explained(keys: Iterable[str], meanings: Mapping[str, str]) -> list[list[str]]:
    """Return a row for each key; a key that nobody has explained, and an explanation without a key, are errors."""
    keys = list(keys)
    if missing := set(keys) ^ set(meanings):
        raise SystemExit(f"docs/meanings.py has other names than the code: {', '.join(sorted(missing))}")
    return [[f"`{key}`", meanings[key]] for key in keys]


# The command line.


def verbs() -> str:
    root = _parser()
    places = list(_places(root, "queuectl"))
    leaves = [[f"[`{path}`](#{_anchor(path)})", summary] for path, summary, parser in places if not _below(parser)]
    return "\n\n".join([table(["command", "what it does"], leaves), *(_section(*place) for place in places)])


def _parser() -> argparse.ArgumentParser:
    from jobs.management.commands.queuectl import Command  # noqa: PLC0415 - Django must be set up

    return Command().create_parser("queuectl", "queuectl")


def _below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(actions[0].choices) if actions else {}


def _places(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    for name, child in _below(parser).items():
        below = f"{path} {name}"
        summary, _, _ = str(child.description).partition(".\n")
        yield below, summary.removesuffix("."), child
        yield from _places(child, below)


def _anchor(path: str) -> str:
    return path.replace(" ", "-")


def _section(path: str, _summary: str, parser: argparse.ArgumentParser) -> str:
    level = "#" * (1 + len(path.split()))
    parts = [f"{level} `{path}`", str(parser.description)]
    if not _below(parser):
        parser.format_help()  # writes the usage
        rows = [[_name(action), _help(parser, action)] for action in _own_actions(parser)]
        parts += [f"```text\n{parser.usage}\n```"]
        parts += [table(["argument", "meaning"], rows)] if rows else []
    examples = [line.strip() for line in str(parser.epilog).splitlines()[1:]]
    prompts = "\n".join(f"$ {example}" for example in examples)
    return "\n\n".join([*parts, f"```console\n{prompts}\n```"])


def _own_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    common = {"no_color", "traceback"}
    shown = [action for action in parser._actions if action.help != argparse.SUPPRESS and action.dest not in common]
    return [action for action in shown if action.dest != "help"]


def _name(action: argparse.Action) -> str:
    value = str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper())
    if not action.option_strings:
        return f"`{value} …`" if action.nargs in ("*", "+") else f"`{value}`"
    value = f"[{value}]" if action.nargs == "?" else value
    return ", ".join(f"`{option}`" if action.nargs == 0 else f"`{option} {value}`" for option in action.option_strings)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return parser._get_formatter()._expand_help(action) if action.help else "its name"


def exit_codes() -> str:
    from jobs import cli, errors  # noqa: PLC0415 - Django must be set up
    from jobs.cli import parser, report, status, wait  # noqa: PLC0415

    assert errors.JobExists.exit_code == errors.WrongState.exit_code
    codes = {
        0: "done",
        cli.EXIT_FAILED: "failed; `doctor` found an error; a person declined; a worker could not store everything",
        parser.USAGE_EXIT_CODE: "wrong usage or input; nothing was stored",
        status.EXIT_UNHEALTHY: "`status --check`: unhealthy",
        errors.NotFound.exit_code: "no such job, queue or supervisor",
        errors.WrongState.exit_code: "wrong state for that verb, or the id exists",
        report.EXIT_PARTLY: "partly done: of several jobs, some were changed and some refused, or left by `move`",
        wait.EXIT_NOT_COMPLETED: "`wait`: a job finished but did not complete",
        errors.DatabaseUnavailable.exit_code: "the database is busy or unreachable; safe to repeat",
        wait.EXIT_TIMED_OUT: "`wait --timeout`: the time is over",
        cli.EXIT_INTERRUPTED: "Ctrl-C; `status --watch`, `top`, `web` and `worker start` end with 0 then",
        cli.EXIT_BROKEN_PIPE: "whoever read the output went away",
    }
    return table(["code", "meaning"], [[str(code), meaning] for code, meaning in codes.items()])


# Settings.


def knobs() -> str:
    from jobs import conf, durations  # noqa: PLC0415 - Django must be set up

    def value(knob: conf.Knob, number: float) -> str:
        return f"`{durations.text(number)}`" if knob.unit == "seconds" and number else f"`{number:g}`"

    rows = [
        [
            f"`{knob.name.replace('_', '-')}`",
            value(knob, knob.default),
            f"{value(knob, knob.minimum)} to {value(knob, knob.maximum)}{', whole' if knob.is_whole else ''}",
            _code(knob.help),
        ]
        for knob in conf.KNOBS.values()
    ]
    return table(["key", "built-in value", "bounds", "meaning"], rows)


def _code(text: str) -> str:
    """Show the formula as code: two asterisks would be bold."""
    return text.replace("backoff_base ** n", "`backoff_base ** n`")


def keys() -> str:
    from jobs import conf  # noqa: PLC0415 - Django must be set up

    def shown(value: object, none: str) -> str:
        if value is None or value == {}:
            return none
        return f"`{value}`" if isinstance(value, str) else f"`{value:g}`"

    rows = [
        [
            f"`{key.name}`",
            shown(key.default, "none"),
            shown(key.minimum, "a dictionary" if key.is_dictionary else "a text"),
            key.help,
        ]
        for key in conf.KEYS.values()
    ]
    return table(["key", "default", "at least", "meaning"], rows)


def command_keys() -> str:
    from jobs import named_commands  # noqa: PLC0415 - Django must be set up

    return table(["key", "value"], [[f"`{key}`", value] for key, value in named_commands.COMMAND_KEYS.items()])


def parameter_keys() -> str:
    from jobs import named_commands  # noqa: PLC0415 - Django must be set up

    return table(["key", "value"], [[f"`{key}`", value] for key, value in named_commands.PARAMETER_KEYS.items()])


def environment() -> str:
    from queuectl_site import settings  # noqa: PLC0415 - it reads the environment

    entries = re.findall(r"^([A-Z_]+\*?)\n((?: {4}.+\n)+)", str(settings.__doc__), re.MULTILINE)
    rows = []
    for name, body in entries:
        meaning, _, default = " ".join(body.split()).partition(" Default: ")
        rows.append([f"`{name}`", meaning, default.removesuffix(".")])
    return table(["variable", "meaning", "default"], rows)


# Names that programs meet.


def states() -> str:
    from jobs.states import TRANSITIONS, State  # noqa: PLC0415 - Django must be set up

    rows = explained((state.value for state in sorted(State, key=list(meanings.STATES).index)), meanings.STATES)
    return table(
        ["state", "meaning", "may become"],
        [
            [*row, ", ".join(f"`{state.value}`" for state in State if state in TRANSITIONS[State(row[0].strip("`"))])]
            for row in rows
        ],
    )


def outcomes() -> str:
    from jobs.states import Ending  # noqa: PLC0415 - Django must be set up

    return table(["outcome", "meaning"], explained((ending.value for ending in Ending), meanings.OUTCOMES))


def shell_environment() -> str:
    from jobs import new_job, processes  # noqa: PLC0415 - Django must be set up
    from jobs.runners import shell  # noqa: PLC0415

    reserved = new_job.RESERVED_ENV_PREFIX
    inherited = [name for name in shell.ENVIRONMENT if name != processes.SUPERVISOR_VARIABLE]
    names = ", ".join(f"`{name}`" for name in inherited)
    return table(
        ["variable", "value"],
        [
            [f"{names}, `{shell.LOCALE_PREFIX}*`", "the worker's, where it has them"],
            [f"`{processes.JOB_VARIABLE}`", "the job's id"],
            ["`QUEUECTL_ATTEMPT`", "the number of this attempt, from 1"],
            ["`QUEUECTL_QUEUE`", "the job's queue"],
            [f"`{processes.FENCE_VARIABLE}`", "a number that grows with every run of this job, also after a requeue"],
            [f"`{processes.SUPERVISOR_VARIABLE}`", "marks all processes of one supervisor; leave it alone"],
            ["what the job's `env` names", f"as given; names that begin with `{reserved}` are refused"],
        ],
    )


def shell_exit_codes() -> str:
    from jobs import retry  # noqa: PLC0415 - Django must be set up
    from jobs.runners import shell  # noqa: PLC0415

    later = f"asks to be run again later, after the backoff and at no charge; at most {retry.POSTPONEMENTS_MAX} times"
    return table(
        ["exit code", "the attempt"],
        [
            ["0", "completed"],
            [str(shell.EXIT_LATER), f"{later}, then like any other failure (`EX_TEMPFAIL` of sysexits.h)"],
            [str(shell.EXIT_NEVER), "failed, and must never be run again: straight to the Dead Letter Queue"],
            [str(shell.EXIT_CANNOT_EXECUTE), "failed; also what is recorded when the command could not be executed"],
            [str(shell.EXIT_NOT_FOUND), "failed; also what is recorded when the program was not found"],
            ["negative", "failed: killed by the signal of that number"],
            ["any other", "failed"],
        ],
    )


def job_fields() -> str:
    from jobs import new_job  # noqa: PLC0415 - Django must be set up

    return table(["field", "value"], explained(new_job.FIELDS, meanings.JOB_FIELDS))


def job_keys() -> str:
    from jobs.cli import present  # noqa: PLC0415 - Django must be set up

    return table(["key", "value"], explained(present.JOB_KEYS, meanings.JOB_KEYS))


def job_details_keys() -> str:
    from datetime import UTC, datetime  # noqa: PLC0415 - used here alone

    from jobs import queue  # noqa: PLC0415 - Django must be set up
    from jobs.cli import present  # noqa: PLC0415
    from jobs.models import Job  # noqa: PLC0415

    details = present.job_details_json(Job(kind="shell"), [], queue.Policies({}, datetime.now(UTC)))
    return table(
        ["key", "value"], explained([key for key in details if key not in meanings.JOB_KEYS], meanings.JOB_DETAILS_KEYS)
    )


def attempt_keys() -> str:
    from jobs.cli import present  # noqa: PLC0415 - Django must be set up

    return table(["key", "value"], explained(present.ATTEMPT_KEYS, meanings.ATTEMPT_KEYS))


def change_keys() -> str:
    from jobs.cli import history  # noqa: PLC0415 - Django must be set up

    return table(["key", "value"], explained(history.CHANGE_KEYS, meanings.CHANGE_KEYS))


# The admin.


def permissions() -> str:
    from tests.admin import matrix  # noqa: PLC0415 - Django must be set up

    return table(["permission", "allows"], explained(matrix.permissions(), meanings.PERMISSIONS))


def permission_matrix() -> str:
    from tests.admin import matrix  # noqa: PLC0415 - Django must be set up

    return table(["address", "request", "needs", *matrix.ROLES], matrix.rows())


# What was measured.


def benchmarks() -> str:
    from benchmarks import results, tables  # noqa: PLC0415 - found once the checkout is on the path

    found = results.newest()
    if found is None:
        return "No run of everything is kept yet: `make bench`.\n"
    drawn = sorted((DOCS / "reference/benchmarks").glob("*.svg"))
    plots = [f"![{path.stem}](benchmarks/{path.name})" for path in drawn]
    return "\n\n".join([*plots, tables.page(found)]) + "\n"


def long_runs() -> str:
    from benchmarks.soak import showing  # noqa: PLC0415 - found once the checkout is on the path

    found = showing.newest()
    if found is None:
        return "No long run is kept yet: `make soak`.\n"
    return f"![the run]({showing.PLOT.parent.name}/{showing.PLOT.name})\n\n{showing.page(found)}\n"


def long_run_kinds() -> str:
    from benchmarks.soak import showing  # noqa: PLC0415 - found once the checkout is on the path

    return showing.kinds_of_jobs()


def chaos() -> str:
    return _of_campaign("table")


def chaos_kills() -> str:
    return _of_campaign("kills_table")


def chaos_faults() -> str:
    return _of_campaign("faults_table")


def chaos_short() -> str:
    return _of_campaign("short_table")


def chaos_sentence() -> str:
    return _of_campaign("sentence")


def _of_campaign(part: str) -> str:
    from tests.chaos import report  # noqa: PLC0415 - found once the checkout is on the path

    found = report.newest()
    return f"{getattr(report, part)(found)}\n" if found else "No campaign is kept yet: `make chaos`.\n"


REGIONS: dict[str, Callable[[], str]] = {
    "attempt-keys": attempt_keys,
    "benchmarks": benchmarks,
    "change-keys": change_keys,
    "chaos": chaos,
    "chaos-faults": chaos_faults,
    "chaos-kills": chaos_kills,
    "chaos-sentence": chaos_sentence,
    "chaos-short": chaos_short,
    "command-keys": command_keys,
    "environment": environment,
    "exit-codes": exit_codes,
    "job-details-keys": job_details_keys,
    "job-fields": job_fields,
    "job-keys": job_keys,
    "keys": keys,
    "knobs": knobs,
    "long-run-kinds": long_run_kinds,
    "long-runs": long_runs,
    "outcomes": outcomes,
    "parameter-keys": parameter_keys,
    "permission-matrix": permission_matrix,
    "permissions": permissions,
    "shell-environment": shell_environment,
    "shell-exit-codes": shell_exit_codes,
    "states": states,
    "verbs": verbs,
}

if __name__ == "__main__":
    sys.exit(main())
