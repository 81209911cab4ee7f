"""An environment for each system, so that no two have to agree on a version. Made on demand, in `.venvs/`."""

import json
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

from benchmarks.catalogue import System

CHECKOUT = Path(__file__).resolve().parents[1]
VENVS = Path(__file__).resolve().parent / ".venvs"
PROJECT = "django-queuectl"  # which is that of this checkout, not one from a package index


class CannotInstall(Exception):
    """What a system needs is not to be had here."""


def ready(system: System, store: str) -> Path:
    """Return the interpreter that has the system and what it needs on a store. Raise CannotInstall."""
    interpreter = VENVS / system.name / "bin" / "python"
    stamp = VENVS / system.name / "installed.json"
    installed = set(json.loads(stamp.read_text())) if stamp.exists() else set()
    needed = {*system.requirements, *system.stores[store]}
    if not interpreter.exists():
        venv.create(VENVS / system.name, with_pip=True)
    if needed - installed:
        print(f"Installing {', '.join(sorted(needed - installed))} for {system.name}", file=sys.stderr)
        _install(interpreter, sorted(needed - installed))
        stamp.write_text(json.dumps(sorted(needed | installed)))
    return interpreter


def version(system: System) -> str:
    """Return the installed version of the system's first requirement."""
    (packages,) = (VENVS / system.name / "lib").glob("python*/site-packages")
    name = system.requirements[0].partition("==")[0].partition("[")[0]
    return next(iter(metadata.distributions(name=name, path=[str(packages)]))).version


def _install(interpreter: Path, requirements: list[str]) -> None:
    words = [word for needed in requirements for word in _words(needed)]
    command = [str(interpreter), "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input", "install", *words]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        reasons = [line for line in done.stderr.splitlines() if line.strip()]
        raise CannotInstall(
            f"{', '.join(requirements)} cannot be installed: {reasons[-1] if reasons else 'pip failed'}"
        )


def _words(requirement: str) -> list[str]:
    return ["--editable", str(CHECKOUT)] if requirement == PROJECT else [requirement]
