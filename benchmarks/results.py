"""What a run found: figures, each with one value per round, and what has no figure, each with its reason."""

import json
import os
import platform
import re
import statistics
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).resolve().parent / "results"
CHECKOUT = Path(__file__).resolve().parents[1]
# measure → its unit
UNITS = {
    "enqueue": "jobs/s",
    "enqueue_bulk": "jobs/s",
    "drain": "jobs/s",
    "pickup_p50": "ms",
    "pickup_p95": "ms",
    "pickup_p99": "ms",
    "steady_p50": "ms",
    "steady_p95": "ms",
    "steady_p99": "ms",
    "idle_cpu": "% of a core",
    "memory": "MB",
    "shell": "jobs/s",
    "raw_turn": "jobs/s",
    "raw_insert": "jobs/s",
    "growth_turn": "ms",
    "growth_enqueue": "ms",
    "growth_status": "ms",
    "growth_list": "ms",
}


PICKUPS = tuple(f"{name}_p{share}" for name in ("pickup", "steady") for share in (50, 95, 99))
# what a measurement is called → its measures, where it has several
FOUND_WITH = {
    "drain": ("enqueue", "enqueue_bulk", "drain"),
    "waiting": (*PICKUPS, "idle_cpu", "memory"),
    "growth": ("growth_turn", "growth_enqueue", "growth_status", "growth_list"),
}


@dataclass(frozen=True, slots=True)
class Key:
    """What a figure is of. `case` is a batch size, or what a table is full of; empty where there is but one."""

    measure: str
    system: str
    store: str
    case: str = ""


@dataclass(slots=True)
class Results:
    """The values of all rounds. A figure is their median."""

    about: dict[str, Any]
    stores: dict[str, str] = field(default_factory=dict)
    systems: dict[str, dict[str, Any]] = field(default_factory=dict)
    values: defaultdict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[Key, str] = field(default_factory=dict)

    def add(self, key: Key, value: float) -> None:
        self.values[key].append(value)

    def refuse(self, key: Key, reason: str) -> None:
        """Keep why there is no figure, and drop what the same measurement found in the rounds before."""
        self.refused[key] = reason
        for known in [*self.values]:
            is_same_place = (known.system, known.store) == (key.system, key.store)
            if is_same_place and known.measure in FOUND_WITH.get(key.measure, (key.measure,)):
                del self.values[known]

    def figure(self, measure: str, system: str, store: str, case: str = "") -> float | None:
        """Return the median of the rounds; None if there is no figure."""
        values = self.values.get(Key(measure, system, store, case))
        return statistics.median(values) if values else None

    def as_json(self) -> str:
        figures = [
            {**_named(key), "unit": UNITS[key.measure], "median": _rounded(statistics.median(values)),
             "rounds": [_rounded(value) for value in values]}
            for key, values in self.values.items()
        ]  # fmt: skip
        return json.dumps(
            {
                **self.about,
                "stores": self.stores,
                "systems": self.systems,
                "figures": figures,
                "refused": [{**_named(key), "reason": reason} for key, reason in self.refused.items()],
            },
            indent=1,
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "Results":
        data = json.loads(text)
        figures, refused = data.pop("figures"), data.pop("refused")
        results = cls(stores=data.pop("stores"), systems=data.pop("systems"), about=data)
        for figure in figures:
            results.values[_key(figure)] = figure["rounds"]
        for refusal in refused:
            results.refused[_key(refusal)] = refusal["reason"]
        return results


def write(found: Results, *, is_whole: bool) -> Path:
    """Keep a run, and return its file: named by the day, or by the minute where it is only part of one."""
    minute = found.about["date"][:16].replace(":", "")
    path = DIRECTORY / (f"{minute[:10]}.json" if is_whole else f"{minute}-part.json")
    DIRECTORY.mkdir(exist_ok=True)
    path.write_text(found.as_json() + "\n", encoding="utf-8")
    return path


def newest() -> Results | None:
    """Return the newest whole run that is kept; None if there is none."""
    paths = sorted(DIRECTORY.glob("????-??-??.json"))
    return Results.from_json(paths[-1].read_text(encoding="utf-8")) if paths else None


def about(*, options: dict[str, Any]) -> dict[str, Any]:
    """Return date, commit and machine; nothing that says whose machine it is, or where on it this is."""
    cpu = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {
            "cpu": cpu[1] if cpu else platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gb": round(pages * size / 2**30),
            "kernel": platform.release().partition("-")[0],
            "python": platform.python_version(),
        },
        "options": options,
    }


def _commit() -> str:
    """Return the commit that last changed what is measured; with a plus where it has been changed since."""
    commit = _git("log", "-1", "--format=%h", "--", "jobs") or "unknown"
    return f"{commit}+" if _git("status", "--porcelain", "--", "jobs") else commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _named(key: Key) -> dict[str, str]:
    return {"measure": key.measure, "system": key.system, "store": key.store, "case": key.case}


def _key(named: dict[str, str]) -> Key:
    return Key(named["measure"], named["system"], named["store"], named["case"])


def _rounded(value: float) -> float:
    """Return it with four figures: more would be noise."""
    return float(f"{value:.4g}")
