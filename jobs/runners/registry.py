"""Which runner runs which kind of job. The worker asks here."""

from jobs.runners import Runner, shell
from jobs.states import Kind

RUNNERS: dict[str, Runner] = {Kind.SHELL: shell.run}

try:
    from jobs.runners import task
except ModuleNotFoundError as missing:  # Django 5.2 without its backport of tasks: shell jobs alone
    if missing.name != "django_tasks":
        raise
else:
    RUNNERS[Kind.TASK] = task.run
