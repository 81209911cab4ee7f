"""One round: a storm or a sweep, then what is left to do is done in peace, everything is stopped, and looked at."""

import contextlib
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.chaos import arena as arenas
from tests.chaos import checker, evidence, plan, recovery
from tests.chaos.arena import Arena, uptime
from tests.chaos.evidence import Evidence
from tests.chaos.load import Job
from tests.chaos.stores import Store
from tests.chaos.storm import Storm
from tests.chaos.sweep import Sweep

DRAIN_SECONDS = 90.0
LEFT_SECONDS = 5.0  # for what a job left running to be gone (P12)
LOOK_SECONDS = 0.05
SHORT_SECONDS = 12.0  # a campaign whose storms are shorter has short sweeps
FINAL = {"completed", "dead", "cancelled"}
SERVER_TOLERANCE_SECONDS = 0.25  # a busy machine asks the server for its time, and waits for the answer


@dataclass(kw_only=True)
class Result:
    """What a round found, as a line of JSON."""

    seed: int
    database: str
    theme: str
    seconds: float
    drain_seconds: float
    jobs: int
    acknowledged: int
    states: dict[str, int]
    runs: int
    kills: dict[str, int]
    faults: dict[str, int]
    lost: int
    doubled: int
    recoveries: list[float]  # seconds, see recovery
    resume_seconds: float | None
    violations: dict[str, list[str]] = field(default_factory=dict)


def run(store: Store, *, seed: int, theme: str, seconds: float, folder: Path) -> Result:
    """Run one round in a folder of its own, which stays where something was violated."""
    place = Path(tempfile.mkdtemp(prefix=f"{store.name}-{theme}-{seed}-", dir=folder))
    arena = arenas.build(store, theme=theme, folder=place)
    try:
        result = _run(arena, seed=seed, seconds=seconds)
    finally:
        arena.close()
    if not result.violations:
        shutil.rmtree(place, ignore_errors=True)
    return result


def _run(arena: Arena, *, seed: int, seconds: float) -> Result:
    name, _, value = arena.site.mark.partition("=")
    environment = {"LEDGER": str(arena.site.ledger), name: value}
    trouble: Storm | Sweep
    if arena.theme == plan.SWEEP:
        trouble = Sweep(arena, seed=seed, environment=environment, is_short=seconds < SHORT_SECONDS)
    else:
        database = arena.store.name
        made = plan.make(seed, database=database, theme=arena.theme, seconds=seconds, environment=environment)
        trouble = Storm(arena, made)
    began = uptime()
    trouble.run()
    ended = uptime()
    is_settled = _drain(arena)
    drained = uptime()
    arena.stop()
    found = _evidence(arena, trouble.jobs, is_settled=is_settled)
    return _judged(arena, found, seed=seed, seconds=ended - began, drain_seconds=drained - ended)


def _drain(arena: Arena) -> bool:
    """Let the supervisors work in peace until every job is final. Return whether that came in time."""
    if not arena.members:
        arena.gather()
    deadline = uptime() + DRAIN_SECONDS
    while uptime() < deadline:
        arena.mind()
        if arena.is_complete and set(arena.site.states()) <= FINAL:
            return True
        time.sleep(LOOK_SECONDS)
    return False


def _evidence(arena: Arena, jobs: dict[str, Job], *, is_settled: bool) -> Evidence:
    site = arena.site
    surprises = [*arena.surprises, *arena.tracebacks()]
    if not is_settled:
        surprises.append(f"not every job was final {DRAIN_SECONDS:g} s after all was mended: {site.states()}")
    is_sqlite = arena.store.name == "sqlite"
    return Evidence(
        jobs=jobs,
        acknowledged=frozenset(arena.acknowledged_path.read_text().split()),
        marks=evidence.read_ledger(site.ledger),
        rows={row["id"]: row for row in site.rows("SELECT * FROM jobs_job")},
        attempts=site.rows("SELECT job_id, fence, number, outcome, exit_code, error, finished_at FROM jobs_attempt"),
        steps=site.rows("SELECT * FROM chaos_step"),
        supervisors=site.rows("SELECT id, marker, pid, host, lost_at, stopped_at FROM jobs_supervisor"),
        events=arena.events,
        is_clock_wrong=is_sqlite and arena.clock is not None,
        backoff_tolerance=checker.CLOCK_SECONDS if is_sqlite else SERVER_TOLERANCE_SECONDS,
        left_processes=_left(arena),
        damage=_damage(arena),
        surprises=surprises,
    )


def _left(arena: Arena) -> list[str]:
    """Return the processes that live on: those of jobs, wherever they hid, and all that was begun and its families."""
    deadline = time.monotonic() + LEFT_SECONDS
    while (left := _living(arena)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return [str(process) for process in left]


def _living(arena: Arena) -> list[psutil.Process]:
    families = [pid for launcher in arena.launchers for pid in launcher.left()]
    found = set(arena.site.marked_processes())
    for pid in families:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.add(psutil.Process(pid))
    return sorted(found, key=lambda process: process.pid)


def _damage(arena: Arena) -> list[str]:
    try:
        return arena.store.problems(arena.site.database)
    except Exception as error:  # noqa: BLE001 - whatever the vendor's check raises is what it found
        return [f"{type(error).__name__}: {error}"]


def _judged(arena: Arena, found: Evidence, *, seed: int, seconds: float, drain_seconds: float) -> Result:
    violations = checker.violations(found)
    return Result(
        seed=seed,
        database=arena.store.name,
        theme=arena.theme,
        seconds=round(seconds, 1),
        drain_seconds=round(drain_seconds, 1),
        jobs=len(found.jobs),
        acknowledged=len(found.acknowledged),
        states=dict(Counter(str(row["state"]) for row in found.rows.values())),
        runs=sum(len(runs) for runs in found.runs.values()),
        kills=dict(arena.kills),
        faults=dict(arena.faults),
        lost=checker.count(violations, checker.LOSSES),
        doubled=checker.count(violations, checker.DOUBLES),
        recoveries=recovery.recoveries(found),
        resume_seconds=recovery.longest_resumption(found),
        violations=violations,
    )
