"""Notices that the code of the project has changed, for `worker start --reload`."""

import ast
import importlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings

logger = logging.getLogger("jobs.supervisor")

LOOK_SECONDS = 1.0  # as Django's own reloader does
SKIPPED = ("node_modules", "site-packages", "__pycache__")

Times = dict[Path, float]  # when each file was last written


class SourceWatch:
    """Watches the Python files of the apps and of the settings, as far as they are not installed packages."""

    def __init__(self) -> None:
        self._roots = set(_roots())
        self._times = self._read()
        self._next_look = time.monotonic() + LOOK_SECONDS

    def has_changed(self) -> bool:
        """Return whether there is new code that can be run. What is half written is waited for."""
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + LOOK_SECONDS
        times = self._read()
        changed = [path for path in times.keys() | self._times.keys() if times.get(path) != self._times.get(path)]
        if not changed:
            return False
        self._times = times
        for path in changed:
            if problem := _problem(path):
                logger.error("not starting over: %s", problem)
                return False
        logger.info("%s changed: starting over", min(changed))
        return True

    def _read(self) -> Times:
        times: Times = {}
        for root in self._roots:
            times.update(_times(str(root)))
        return times


def start_over() -> None:
    """Replace this process by one that reads the code anew. Its id stays, and so does all it was told."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the command it was started with


def _roots() -> Iterator[Path]:
    folders = [Path(app.path) for app in apps.get_app_configs()]
    module_file = importlib.import_module(settings.SETTINGS_MODULE).__file__
    if module_file is not None:
        folders.append(Path(module_file).parent)
    return (folder.resolve() for folder in folders if not set(folder.parts) & set(SKIPPED))


def _times(root: str) -> Iterator[tuple[Path, float]]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in SKIPPED and not name.startswith(".")]
        for name in files:
            if name.endswith(".py"):
                path = Path(folder, name)
                try:
                    yield path, path.stat().st_mtime
                except FileNotFoundError:  # an editor writes a file anew
                    pass


def _problem(path: Path) -> str | None:
    try:
        ast.parse(path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except (SyntaxError, ValueError) as error:
        return f"{path}: {error}"
    return None
