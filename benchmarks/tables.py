"""Results as Markdown: the generated part of the documentation's page, and what a run prints at its end."""

from collections.abc import Iterable

from benchmarks.program import OURS
from benchmarks.raw import BATCHES, INSERT_BATCHES, NAME
from benchmarks.results import PICKUPS, Results

Row = list[str]
STORES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB", "redis": "Redis", "": ""}
NOTHING = "–"
BATCHED = str(BATCHES[-1])
GROWTH = {
    "growth_turn": "turn of 20 jobs",
    "growth_enqueue": "enqueue one",
    "growth_status": "`status`",
    "growth_list": "admin's list",
}


def page(found: Results) -> str:
    """Return everything that was found."""
    parts = [
        part(found) for part in (_about, _drain, _enqueue, _pickup, _idle, _shell, _growth, _raw, _refused, _settings)
    ]
    return "\n\n".join(part for part in parts if part)


def _about(found: Results) -> str:
    machine = found.about["machine"]
    rows = [
        ["date", found.about["date"][:10]],
        ["commit", f"`{found.about['commit']}`"],
        ["processor", f"{machine['cpu']}, {machine['cores']} cores"],
        ["memory", f"{machine['memory_gb']} GiB"],
        ["system", f"Linux {machine['kernel']}, Python {machine['python']}"],
        *(["store", facts] for facts in found.stores.values()),
        ["rounds", str(found.about["options"]["rounds"])],
    ]
    return table(["", "this run"], rows)


def _drain(found: Results) -> str:
    places = _places(found, "drain")
    if not places:
        return ""
    rows = [
        [
            *_names(place),
            _number(found.figure("drain", *place)),
            _share(found.figure("drain", *place), found.figure("raw_turn", NAME, place[1], BATCHED)),
            _times(found.figure("drain", OURS, place[1]), found.figure("drain", *place)),
            _times(found.figure("drain", OURS, "sqlite"), found.figure("drain", *place)),
        ]
        for place in sorted(places, key=lambda place: -(found.figure("drain", *place) or 0))
    ]
    titles = ["system", "store", "jobs/s", "of the raw limit", "queuectl there is", "queuectl on SQLite is"]
    return _section("Draining a backlog", table(titles, rows))


def _enqueue(found: Results) -> str:
    places = _places(found, "enqueue")
    if not places:
        return ""
    one, many = str(INSERT_BATCHES[0]), str(INSERT_BATCHES[-1])
    rows = [
        [
            *_names(place),
            _number(found.figure("enqueue", *place)),
            _share(found.figure("enqueue", *place), found.figure("raw_insert", NAME, place[1], one)),
            _times(found.figure("enqueue", OURS, place[1]), found.figure("enqueue", *place)),
            _number(found.figure("enqueue_bulk", *place)),
            _share(found.figure("enqueue_bulk", *place), found.figure("raw_insert", NAME, place[1], many)),
            _times(found.figure("enqueue_bulk", OURS, place[1]), found.figure("enqueue_bulk", *place)),
        ]
        for place in places
    ]
    titles = [
        "system",
        "store",
        "one by one, jobs/s",
        "of raw",
        "queuectl is",
        "1,000 a call, jobs/s",
        "of raw",
        "queuectl is",
    ]
    return _section("Enqueueing", table(titles, rows))


def _pickup(found: Results) -> str:
    rows = [
        [*_names(place), *(_number(found.figure(measure, *place)) for measure in PICKUPS)]
        for place in _places(found, "pickup_p50")
    ]
    titles = ["system", "store", "idle p50", "p95", "p99", "300 jobs/s p50", "p95", "p99"]
    return _section("Pickup, in milliseconds", table(titles, rows)) if rows else ""


def _idle(found: Results) -> str:
    rows = [
        [*_names(place), _number(found.figure("idle_cpu", *place)), _number(found.figure("memory", *place))]
        for place in _places(found, "idle_cpu")
    ]
    titles = ["system", "store", "processor, % of a core", "memory, MB"]
    return _section("Waiting for jobs", table(titles, rows)) if rows else ""


def _shell(found: Results) -> str:
    places = _places(found, "shell")
    rows = [
        [
            *_names(place),
            _number(found.figure("shell", *place)),
            _share(found.figure("shell", *place), found.figure("shell", "xargs", "")),
            _times(found.figure("shell", OURS, "sqlite"), found.figure("shell", *place)),
        ]
        for place in sorted(places, key=lambda place: -(found.figure("shell", *place) or 0))
    ]
    titles = ["program", "store", "commands/s", "of `xargs -P 2`", "queuectl on SQLite is"]
    return _section("Shell jobs", table(titles, rows)) if rows else ""


def _growth(found: Results) -> str:
    cases = {(key.store, key.case): None for key in found.values if key.measure == "growth_turn"}

    def cell(measure: str, store: str, case: str) -> str:
        value = found.figure(measure, OURS, store, case)
        ratio = _times(value, found.figure(measure, OURS, store, "empty"))
        return _number(value) if case == "empty" or value is None else f"{_number(value)} ({ratio})"

    rows = [[STORES[store], _case(case), *(cell(measure, store, case) for measure in GROWTH)] for store, case in cases]
    titles = ["store", "other jobs", *GROWTH.values()]
    return _section("With other jobs in the table, in milliseconds", table(titles, rows)) if rows else ""


def _raw(found: Results) -> str:
    columns = [*(("raw_turn", str(n)) for n in BATCHES), *(("raw_insert", str(n)) for n in INSERT_BATCHES)]
    stores = {key.store: None for key in found.values if key.measure == "raw_turn"}
    rows = [
        [STORES[store], *(_number(found.figure(measure, NAME, store, batch)) for measure, batch in columns)]
        for store in stores
    ]
    turns = [f"record and claim {batch} a transaction" for batch in BATCHES]
    titles = ["store", *turns, *(f"insert {batch:,} a transaction" for batch in INSERT_BATCHES)]
    return _section("Raw limits, in jobs/s", table(titles, rows)) if rows else ""


def _refused(found: Results) -> str:
    rows = [[key.system, STORES[key.store], key.measure, reason] for key, reason in found.refused.items()]
    return _section("Without a figure", table(["system", "store", "measure", "reason"], rows)) if rows else ""


def _settings(found: Results) -> str:
    rows = [[name, about["version"], "; ".join(map(_code, about["settings"]))] for name, about in found.systems.items()]
    return _section("Settings", table(["system", "version", "settings"], rows)) if rows else ""


def _places(found: Results, measure: str) -> list[tuple[str, str]]:
    """Return the systems and stores that have a figure."""
    return [(key.system, key.store) for key in found.values if key.measure == measure]


def _names(place: tuple[str, str]) -> Row:
    system, store = place
    return [f"**{system}**" if system == OURS else system, STORES[store]]


def _case(case: str) -> str:
    count, _, crowd = case.partition(" ")
    return f"{int(count):,} {crowd}" if crowd else "none"


def _code(settings: str) -> str:
    """Keep a `*` or `--` in settings as it is."""
    return f"`{settings}`"


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _share(value: float | None, whole: float | None) -> str:
    return NOTHING if value is None or not whole else f"{value / whole:.2f}"


def _times(ours: float | None, theirs: float | None) -> str:
    if ours is None or not theirs:
        return NOTHING
    ratio = ours / theirs
    return f"{ratio:.0f} ×" if ratio >= 10 else f"{ratio:.2f} ×" if ratio < 2 else f"{ratio:.1f} ×"


def _section(title: str, body: str) -> str:
    return f"### {title}\n\n{body}"


def table(titles: Row, rows: Iterable[Row]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
