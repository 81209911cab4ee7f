"""Results as SVG, for the documentation: `python -m benchmarks.plots` draws the newest run that is kept.

The background is transparent and the text grey, so that they can be read on a light page and on a dark one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import results
from benchmarks.program import OURS
from benchmarks.results import Results
from benchmarks.tables import STORES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIRECTORY = results.CHECKOUT / "docs" / "reference" / "benchmarks"
GREY = "#808080"  # four to one against white and against furo's dark background
HIGHLIGHT = "#2f8fd8"
OTHERS = "#a0a0a0"
WIDTH_INCHES = 8.0
BAR_INCHES = 0.26
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "queuectl",  # the same figures make the same file
    "font.size": 9,
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}
Bar = tuple[str, float, bool]  # label, value, whether it is this project's


def write(found: Results) -> list[Path]:
    """Draw what there are figures for; return the files."""
    drains = _bars(found, "drain")[::-1]
    pickups = _bars(found, "pickup_p99")
    shells = _bars(found, "shell")[::-1]
    DIRECTORY.mkdir(exist_ok=True)
    charts = (
        ("drain", drains, "no-op jobs per second, two workers"),
        ("pickup", pickups, "pickup by an idle worker, p99, milliseconds (logarithmic; less is better)"),
        ("shell", shells, "shell commands per second, two at a time"),
    )
    return [_draw(name, bars, label, is_log=name == "pickup") for name, bars, label in charts if bars]


def _bars(found: Results, measure: str) -> list[Bar]:
    """Return the figures of a measure, the smallest first."""
    places = [(key.system, key.store) for key in found.values if key.measure == measure]
    bars = [
        (f"{system} · {STORES[store]}" if store else system, found.figure(measure, system, store) or 0, system == OURS)
        for system, store in places
    ]
    return sorted(bars, key=lambda bar: bar[1])


def _draw(name: str, bars: Sequence[Bar], label: str, *, is_log: bool) -> Path:
    import matplotlib as mpl  # noqa: PLC0415 - only who runs the benchmarks has it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - likewise

    path = DIRECTORY / f"{name}.svg"
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(WIDTH_INCHES, 0.7 + BAR_INCHES * len(bars)))
        _fill(axes, bars, label, is_log=is_log)
        figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
    return path


def _fill(axes: "Axes", bars: Sequence[Bar], label: str, *, is_log: bool) -> None:
    names, values, own = zip(*bars, strict=True)
    drawn = axes.barh(names, values, color=[HIGHLIGHT if is_own else OTHERS for is_own in own])
    axes.bar_label(drawn, labels=[f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in values], padding=3)
    axes.set_xlabel(label)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.tick_params(axis="y", length=0)
    if is_log:
        axes.set_xscale("log")


if __name__ == "__main__":
    newest = results.newest()
    if newest is None:
        raise SystemExit("No run is kept yet: make bench.")
    for written in write(newest):
        print(written.relative_to(results.CHECKOUT))
