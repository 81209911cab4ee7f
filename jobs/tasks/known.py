"""The tasks of the project that can be found without being named: for a list from which people choose.

A worker also runs those that are not here. But who enqueues from the web chooses from this list and cannot name others.
"""

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from jobs import masking, new_job
from jobs.errors import InvalidInput
from jobs.tasks import api, loading
from jobs.tasks.job_task import JobTask

MODULE = "tasks"
# `jobs.tasks.commands.manage` runs any command of the project, `shell` included: a line for it is code.
OWN_PACKAGE = "jobs."


class Known(NamedTuple):
    """The tasks by their paths, in order, and what is wrong with modules that cannot be imported."""

    tasks: dict[str, api.AnyTask]
    problems: list[str]


def known() -> Known:
    """Return every task that stands in the module `tasks` of an installed app and is kept in this queue."""
    tasks: dict[str, api.AnyTask] = {}
    problems: list[str] = []
    for app in apps.get_app_configs():
        try:
            tasks.update(_tasks_of(_module(app.name, app.module)))
        except InvalidInput as problem:
            problems.append(str(problem))
    return Known(dict(sorted(tasks.items())), problems)


def _module(package: str, module: ModuleType | None) -> ModuleType | None:
    if module is None or not module_has_submodule(module, MODULE):
        return None
    path = f"{package}.{MODULE}"
    try:
        return importlib.import_module(path)
    except Exception as error:
        what = new_job.shown(f"{type(error).__name__}: {error}", limit=200)
        raise InvalidInput(path, f"cannot be imported: {what}") from error


def _tasks_of(module: ModuleType | None) -> Iterator[tuple[str, api.AnyTask]]:
    for found in list(vars(module).values()) if module else ():
        if isinstance(found, api.Task) and not found.module_path.startswith(OWN_PACKAGE) and _is_kept_here(found):
            yield from _at(found.module_path)


def _is_kept_here(task: api.AnyTask) -> bool:
    return issubclass(task.get_backend().task_class, JobTask)


def _at(path: str) -> Iterator[tuple[str, api.AnyTask]]:
    """Yield the task that a worker finds at a path: not one with other defaults, and none that is in a function."""
    try:
        yield path, loading.load(path)
    except ImportError:
        return


def signature(task: api.AnyTask) -> str:
    """Return the name of a task and what it takes, as Python writes it.

    That is without the context, which it is given, and without defaults that may be secret: who may enqueue it is shown
    them, and need not see the code.
    """
    taken = inspect.signature(task.func)
    parameters = list(taken.parameters.values())[int(task.takes_context) :]
    return f"{task.name}{taken.replace(parameters=[_as_shown(parameter) for parameter in parameters])}"


def _as_shown(parameter: inspect.Parameter) -> inspect.Parameter:
    if masking.is_secret(parameter.name, parameter.default) and parameter.default is not inspect.Parameter.empty:
        return parameter.replace(default=_Hidden())
    return parameter.replace(default=masking.masked(parameter.default))


class _Hidden:
    """Stands for a default that is not shown."""

    def __repr__(self) -> str:
        return "…"


def summary(task: api.AnyTask) -> str:
    """Return the first line of what the function says of itself."""
    return (inspect.getdoc(task.func) or "").partition("\n")[0]
