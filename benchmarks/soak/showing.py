"""Results of long runs as Markdown and as SVG: `python -m benchmarks.soak.showing` draws the newest that is kept."""

import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import plots, results, tables
from benchmarks.soak import judging, kinds
from benchmarks.soak.judging import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLOT = results.CHECKOUT / "docs" / "reference" / "long-runs" / "run.svg"
COLOURS = {"sqlite": "#2f8fd8", "postgresql": "#d8782f", "mariadb": "#4aa564"}
COORDINATE = re.compile(r"(\d+\.\d)\d+")  # a tenth of a point is finer than any screen
POINTS = 40  # of a line: the file stays small
PANEL_INCHES = (2.9, 1.9)
NUMBER = "{:,.0f}"
Run = Mapping[str, Any]
# title of a panel → the measures that are added up in it
PANELS = {
    "supervisor, nursery, two workers: memory, MB": ("main_supervisor_pss", "main_nursery_pss", "main_workers_pss"),
    "rough supervisor and its nursery: memory, MB": ("rough_supervisor_pss", "rough_nursery_pss"),
    "supervisor, nursery, two workers: open files": (
        "main_supervisor_files",
        "main_nursery_files",
        "main_workers_files",
    ),
    "jobs and attempts, thousands": ("rows",),
    "database, MB": ("database",),
}
PICKUP = "pickup, ms: p50, p99 (dotted)"


def newest() -> dict[str, Any] | None:
    """Return the newest run that is kept; None if there is none."""
    paths = sorted(results.DIRECTORY.glob("soak-????-??-??.json"))
    return json.loads(paths[-1].read_text(encoding="utf-8")) if paths else None


def page(found: Mapping[str, Any]) -> str:
    """Return everything that a reader wants to know of it, as Markdown."""
    runs: Mapping[str, Run] = found["runs"]
    return "\n\n".join([_about(found), "### What was done", _work(runs), "### What it took", _verdicts(runs)])


def _about(found: Mapping[str, Any]) -> str:
    machine, options = found["machine"], found["options"]
    rows = [
        ["date", found["date"][:10]],
        ["commit", f"`{found['commit']}`"],
        [
            "machine",
            f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, Python {machine['python']}",
        ],
        *(["store", run["store"]] for run in found["runs"].values()),
        ["load", f"{options['rate']:g} jobs a second on each, for {options['minutes']:g} minutes"],
    ]
    return tables.table(["", "this run"], rows)


def _work(runs: Mapping[str, Run]) -> str:
    lines: dict[str, Callable[[Run], str]] = {
        "jobs enqueued": lambda run: NUMBER.format(run["jobs"]),
        "runs of them": lambda run: NUMBER.format(run["runs"]),
        "completed": lambda run: NUMBER.format(run["completed"]),
        "ran as often as they must": lambda run: run["failure"] or "all",
        "unexpected warnings and errors in the logs": lambda run: str(len(run["trouble"])),
        "pickup p50, median of all half minutes, ms": lambda run: f"{_pickup(run, 'p50'):.1f}",
        "pickup p99, median of all half minutes, ms": lambda run: f"{_pickup(run, 'p99'):.0f}",
    }
    rows = [[what, *(show(run) for run in runs.values())] for what, show in lines.items()]
    return tables.table(["", *(tables.STORES[store] for store in runs)], rows)


def _pickup(run: Run, share: str) -> float:
    return statistics.median(float(window[share]) for window in run["pickups"])


def _verdicts(runs: Mapping[str, Run]) -> str:
    found = {
        store: {verdict.limit.what: verdict for verdict in judging.verdicts(run["series"])}
        for store, run in runs.items()
    }
    whats = [limit.what for limit in judging.LIMITS.values()]
    rows = [
        [what, *(_verdict(verdicts.get(what)) for verdicts in found.values())]
        for what in whats
        if any(what in verdicts for verdicts in found.values())
    ]
    return tables.table(["mean, and rise in the last two thirds", *(tables.STORES[store] for store in found)], rows)


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return tables.NOTHING
    mean = NUMBER.format(verdict.mean) if verdict.mean >= 100 else f"{verdict.mean:.1f}"
    most = f", most {verdict.most:.1f}" if verdict.limit.most is not None else ""
    text = f"{mean} {verdict.limit.unit}".rstrip() + most + f" ({verdict.rise:+.2g})"
    return text if verdict.is_flat else f"**{text}: grows**"


def kinds_of_jobs() -> str:
    """Return the mix of a hundred jobs, as Markdown."""
    rows = [[str(share), kind.what, str(kind.runs)] for share, kind in kinds.SHARES]
    rough = [["¼", kind.what, str(kind.runs)] for kind in kinds.ROUGH_KINDS]
    return tables.table(["of 100", "jobs", "runs of each"], [*rows, *rough])


def draw(found: Mapping[str, Any]) -> Path:
    """Draw a run, a line for each database; return the file."""
    import matplotlib as mpl  # noqa: PLC0415 - only who runs the benchmarks has it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - likewise

    width, height = PANEL_INCHES
    PLOT.parent.mkdir(exist_ok=True)
    with mpl.rc_context(plots.STYLE | {"font.size": 7, "svg.hashsalt": "queuectl"}):
        figure, grid = plt.subplots(2, 3, figsize=(3 * width, 2 * height), constrained_layout=True)
        panels = list(grid.flat)
        for axes, (title, measures) in zip(panels, PANELS.items(), strict=False):
            _draw_sums(axes, title, measures, found["runs"])
        _draw_pickups(panels[-1], found["runs"])
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(PLOT, transparent=True, metadata={"Date": None})
        plt.close(figure)
    PLOT.write_text(COORDINATE.sub(r"\1", PLOT.read_text(encoding="utf-8")), encoding="utf-8")
    return PLOT


def _draw_sums(axes: "Axes", title: str, measures: Sequence[str], runs: Mapping[str, Run]) -> None:
    for store, run in runs.items():
        series = run["series"]
        values = [sum(column) for column in zip(*(series[name] for name in measures), strict=True)]
        if measures == ("rows",):
            values = [value / 1_000 for value in values]
        axes.plot(*_thinned(series["at"], values), color=COLOURS[store], label=tables.STORES[store], linewidth=1)
    _finish(axes, title)
    axes.set_ylim(bottom=0)


def _draw_pickups(axes: "Axes", runs: Mapping[str, Run]) -> None:
    for store, run in runs.items():
        at = [window["at"] for window in run["pickups"]]
        for share, style in (("p50", "-"), ("p99", ":")):
            points = _thinned(at, [window[share] for window in run["pickups"]])
            axes.plot(*points, style, color=COLOURS[store], linewidth=1)
    axes.set_yscale("log")
    axes.minorticks_off()
    _finish(axes, PICKUP)


def _finish(axes: "Axes", title: str) -> None:
    axes.set_title(title, fontsize=7, loc="left")
    axes.set_xlabel("minutes")
    axes.grid(axis="y", color=plots.GREY, alpha=0.2, linewidth=0.5)


def _thinned(at: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return minutes and values, of neighbours their median: a peak of one sample is noise here."""
    size = max(1, len(at) // POINTS)
    starts = range(0, len(at), size)
    minutes = [round(at[start] / 60, 1) for start in starts]
    return minutes, [statistics.median(values[start : start + size]) for start in starts]


if __name__ == "__main__":
    kept = newest()
    if kept is None:
        raise SystemExit("No run is kept yet: make soak.")
    print(draw(kept).relative_to(results.CHECKOUT))
