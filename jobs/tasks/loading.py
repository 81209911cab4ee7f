"""From a dotted path to the task it names. Called by the runner, the backend and the command line."""

import functools

from django.utils.module_loading import import_string

from jobs.tasks import api


def load(path: str) -> api.AnyTask:
    """Return the task at a dotted path. Raise ImportError, or whatever importing its module raises.

    Nothing but what was decorated with `@task` is ever called: the path may come from anywhere.
    """
    return _load(path)


@functools.cache  # as many as a project has; what fails is not kept, and tried again
def _load(path: str) -> api.AnyTask:
    task = import_string(path)
    if not isinstance(task, api.Task):
        raise ImportError(f"{path} is not a task: it is not decorated with @task")  # noqa: TRY004 - for the caller
    return task
