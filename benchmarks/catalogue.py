"""Which systems there are: what the heads of the files in `systems/` say, read without importing them."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SYSTEMS = Path(__file__).resolve().parent / "systems"
HEAD = re.compile(r"^# /// script$\n(?P<content>(?:^#(?:| .*)$\n)+)^# ///$", re.MULTILINE)  # PEP 723's expression


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One system: `stores` has for each kind of store what it needs beyond its requirements."""

    name: str
    module: str
    requirements: tuple[str, ...]
    stores: Mapping[str, tuple[str, ...]]
    settings: tuple[str, ...]
    django: Mapping[str, Any]


@cache
def systems() -> tuple[System, ...]:
    """Return all systems: this one first, the others by name."""
    found = [read(path) for path in SYSTEMS.glob("[!_]*.py")]
    return tuple(sorted(found, key=lambda system: (system.name != "queuectl", system.name)))


def read(path: Path) -> System:
    """Return what the head of a file says. Raise ValueError if it has none."""
    found = HEAD.search(path.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{path.name} has no head; see {SYSTEMS.name}/__init__.py")
    lines = found["content"].splitlines()
    head = tomllib.loads("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines))
    own = head["tool"]["benchmark"]
    return System(
        name=own["name"],
        module=path.stem,
        requirements=tuple(head["dependencies"]),
        stores={store: tuple(needs) for store, needs in own["stores"].items()},
        settings=tuple(own["settings"]),
        django=own.get("django", {}),
    )
