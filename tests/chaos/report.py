"""What a campaign tells: a line for each round, how to repeat one, a table of all, and the results that are kept."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from tests.chaos.rounds import Result

KEPT = Path(__file__).with_name("results")
LINES_SHOWN = 5  # of each broken rule
WIDTH = 130  # of a line of the documentation
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB"}
COLUMNS = (
    "database", "rounds", "seeds", "jobs", "runs", "kills", "other faults", "acknowledged", "lost", "doubled",
    "violations", "recovery p50", "longest",
)  # fmt: skip
SHORT = ("database", "kills", "other faults", "acknowledged", "lost", "doubled", "recovery p50", "longest")


def line(result: Result) -> str:
    """Return a round in a line for a person."""
    verdict = "VIOLATED" if result.violations else "holds"
    return (
        f"{result.database:10} {result.theme:10} seed {result.seed:<7} {verdict:8} "
        f"{sum(result.kills.values()):4} kills, {result.acknowledged:4} acknowledged, {result.runs:4} runs, "
        f"{result.seconds:5.1f} s + {result.drain_seconds:.1f} s to drain"
    )


def story(result: Result, *, seconds: float, folder: Path) -> str:
    """Return what was violated, and how to run that round again."""
    lines = []
    for rule, found in result.violations.items():
        lines += [f"  {rule}:", *(f"    {one}" for one in found[:LINES_SHOWN])]
        lines += [f"    … and {len(found) - LINES_SHOWN} more"] if len(found) > LINES_SHOWN else []
    again = f"--databases {result.database} --theme {result.theme} --seed {result.seed} --seconds {seconds:g}"
    lines += [f"  Again: python -m tests.chaos --minutes 0 {again}", f"  Its logs and ledger: {folder}"]
    return "\n".join(lines)


def append(path: Path, result: Result) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(asdict(result))}\n")


def read(path: Path) -> list[Result]:
    return [Result(**json.loads(text)) for text in path.read_text(encoding="utf-8").splitlines()]


def newest() -> list[Result]:
    """Return the rounds of the newest campaign that is kept; none if none is."""
    kept = sorted(KEPT.glob("*.jsonl"))
    return read(kept[-1]) if kept else []


def table(results: Sequence[Result], columns: Sequence[str] = COLUMNS) -> str:
    """Return a line for each database, and one for all, as Markdown; all columns, or these."""
    names = [name for name in NAMES if any(result.database == name for result in results)]
    lines = [_row(NAMES[name], [result for result in results if result.database == name]) for name in names]
    lines += [_row("all", results)] if len(names) > 1 else []
    places = [COLUMNS.index(column) for column in columns]
    return _markdown(columns, [[line[place] for place in places] for line in lines])


def short_table(results: Sequence[Result]) -> str:
    return table(results, SHORT)


def sentence(results: Sequence[Result]) -> str:
    """Return all in a sentence."""
    told = dict(zip(COLUMNS, _row("all", results), strict=True))
    text = (
        "The last one that is kept: {rounds} rounds (seeds {seeds}), {kills} kills and {other faults} other faults; "
        "{jobs} jobs, of which {acknowledged} were acknowledged; lost: {lost}, doubled: {doubled}, violations: "
        "{violations}; recovery p50 {recovery p50}, longest {longest}."
    )
    return textwrap.fill(text.format_map(told), WIDTH)


def _row(name: str, results: Sequence[Result]) -> list[str]:
    seeds = sorted(result.seed for result in results)
    recoveries = [seconds for result in results for seconds in result.recoveries]
    return [
        name,
        f"{len(results):,}",
        _ranges(seeds),
        f"{sum(result.jobs for result in results):,}",
        f"{sum(result.runs for result in results):,}",
        f"{sum(_kills(results).values()):,}",
        f"{sum(_other_faults(results).values()):,}",
        f"{sum(result.acknowledged for result in results):,}",
        str(sum(result.lost for result in results)),
        str(sum(result.doubled for result in results)),
        str(sum(len(result.violations) for result in results)),
        f"{median(recoveries):.1f} s" if recoveries else "–",
        f"{max(recoveries):.1f} s" if recoveries else "–",
    ]


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers in their order as a person would write them: 1–3, 7."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1] = [ranges[-1][0], number]
        else:
            ranges.append([number])
    return ", ".join("–".join(map(str, part)) for part in ranges)


def _kills(results: Iterable[Result]) -> Counter[str]:
    return sum((Counter(result.kills) for result in results), Counter())


def _other_faults(results: Iterable[Result]) -> Counter[str]:
    faults = sum((Counter(result.faults) for result in results), Counter())
    killers = {"worker", "command", "supervisor", "nursery"}
    people = {"requeue", "cancel", "prune", "reconfigure", "status"}
    return Counter({name: n for name, n in faults.items() if name not in killers | people and "untouched" not in name})


def kills_table(results: Sequence[Result]) -> str:
    """Return how often what was killed, on each database."""
    by_name = {name: _kills(result for result in results if result.database == name) for name in NAMES}
    victims = sorted(_kills(results), key=lambda victim: -_kills(results)[victim])
    rows = [[victim, *(f"{by_name[name][victim]:,}" for name in NAMES)] for victim in victims]
    return _markdown(("killed", *NAMES.values()), rows)


def faults_table(results: Sequence[Result]) -> str:
    """Return how often what else was done to them."""
    by_name = {name: _other_faults(result for result in results if result.database == name) for name in NAMES}
    faults = _other_faults(results)
    rows = [[fault, *(f"{by_name[name][fault]:,}" for name in NAMES)] for fault in sorted(faults)]
    return _markdown(("fault", *NAMES.values()), rows)


def _markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, ["---"] * len(titles), *rows))
