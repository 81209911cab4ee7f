"""What happens in a storm, made from its seed alone: the load, the faults, and when. What they hit is seen then.

The same seed gives the same plan. How far each process has come when it is hit is up to the machine.
"""

import random
from dataclasses import dataclass

from tests.chaos import load
from tests.chaos.load import Batch

BATCHES_PER_SECOND = 6.0
LEASE_SECONDS = 3.0

# Kills and the like, by how many there are in a second.
KILLS = {"worker": 5.0, "command": 6.0, "supervisor": 0.7, "nursery": 0.3, "stop": 0.1, "freeze": 0.06, "doze": 0.2}
PEOPLE = {"requeue": 1.6, "cancel": 0.8, "prune": 1.4, "reconfigure": 0.8, "status": 0.2}
PERSON_DIES_SHARE = 0.9
STATEMENTS_MAX = 14  # what such a command takes

# What a theme adds: faults of the whole site, one after another, each by its name, for so many seconds.
THEMES: dict[str, tuple[tuple[str, float, float], ...]] = {
    "processes": (),
    "lock": (("lock", 0.3, 4.0),),
    "disk": (("disk", 0.5, 2.0),),
    "clock": (("clock", 0.5, 2.0),),
    "restart": (("restart", 0.3, 2.0),),
    "backends": (("backends", 0.0, 0.0),),
    "proxy": (("delay", 0.5, 2.0), ("hangup", 0.0, 0.0), ("refuse", 0.3, 2.0), ("lose", 1.0, 3.0)),
    "silence": (("swallow", 1.0, 3.0), ("hangup", 0.0, 0.0)),
    "cut": (("cut", LEASE_SECONDS + 1.0, LEASE_SECONDS + 3.0),),
}
SWEEP = "statements"  # has no plan: see sweep
SQLITE = ("processes", "lock", SWEEP, "disk", "clock")
SERVERS = ("processes", "restart", SWEEP, "proxy", "lock", "backends", "clock", "silence", "cut")
THEME_NAMES = tuple(dict.fromkeys((*SQLITE, *SERVERS)))
FAULT_PAUSE_SECONDS = {"restart": (2.0, 5.0)}  # between two faults of the theme: for a server to be up again
SHORT_PAUSE_SECONDS = (0.3, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One fault: when, which, how long, and a number from 0 to 1 that says which of the possible victims it hits."""

    at: float
    nemesis: str
    pick: float
    seconds: float = 0.0
    die_at: int | None = None
    is_after: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    seed: int
    database: str
    theme: str
    seconds: float
    batches: tuple[Batch, ...]
    strikes: tuple[Strike, ...]


def themes(database: str) -> tuple[str, ...]:
    return SQLITE if database == "sqlite" else SERVERS


def make(seed: int, *, database: str, theme: str, seconds: float, environment: dict[str, str]) -> Plan:
    """Make the plan of a storm."""
    chance = random.Random(f"{seed} {database} {theme}")
    strikes = [*_kills(chance, seconds), *_people(chance, seconds), *_faults(chance, theme, seconds)]
    return Plan(
        seed=seed,
        database=database,
        theme=theme,
        seconds=seconds,
        batches=tuple(load.batches(chance, seconds=seconds, rate=BATCHES_PER_SECOND, environment=environment)),
        strikes=tuple(sorted(strikes, key=lambda strike: strike.at)),
    )


def _kills(chance: random.Random, seconds: float) -> list[Strike]:
    made = []
    for nemesis, rate in KILLS.items():
        at = chance.expovariate(rate)
        while at < seconds:
            lasts = {"freeze": LEASE_SECONDS + chance.uniform(0.5, 2.5), "doze": chance.uniform(0.1, 1.0)}
            made.append(Strike(at=at, nemesis=nemesis, pick=chance.random(), seconds=lasts.get(nemesis, 0.0)))
            at += chance.expovariate(rate)
    return made


def _people(chance: random.Random, seconds: float) -> list[Strike]:
    made = []
    for nemesis, rate in PEOPLE.items():
        at = chance.expovariate(rate)
        while at < seconds:
            die_at = chance.randint(1, STATEMENTS_MAX) if chance.random() < PERSON_DIES_SHARE else None
            is_after = chance.random() < 0.5
            made.append(Strike(at=at, nemesis=nemesis, pick=chance.random(), die_at=die_at, is_after=is_after))
            at += chance.expovariate(rate)
    return made


def _faults(chance: random.Random, theme: str, seconds: float) -> list[Strike]:
    """Return the theme's faults, one after another: no fault begins before the last one has been mended."""
    kinds = THEMES[theme]
    made: list[Strike] = []
    at = chance.uniform(1.0, 2.0)
    while kinds and at < seconds:
        nemesis, least, most = chance.choice(kinds)
        lasts = chance.uniform(least, most)
        made.append(Strike(at=at, nemesis=nemesis, pick=chance.random(), seconds=lasts))
        at += lasts + chance.uniform(*FAULT_PAUSE_SECONDS.get(nemesis, SHORT_PAUSE_SECONDS))
    return made
