"""This project: one supervisor with two workers."""

# /// script
# dependencies = ["django-queuectl"]
# [tool.benchmark]
# name = "queuectl"
# settings = ["queuectl worker start --count 2", "SQLite: jobs.sqlite_options.options() (WAL, synchronous=FULL)"]
# [tool.benchmark.stores]
# sqlite = []
# postgresql = ["psycopg[binary]>=3.2"]
# mariadb = ["mysqlclient>=2.2.4"]
# [tool.benchmark.django]
# INSTALLED_APPS = ["jobs"]
# TASKS.default.BACKEND = "jobs.backend.JobsBackend"
# ///

from collections.abc import Sequence

from django.core.management import call_command
from django.tasks import default_task_backend, task

from benchmarks import mark


@task
def work(number: int) -> None:
    mark.mark(number)


def prepare() -> None:
    call_command("migrate", verbosity=0)


def enqueue(number: int) -> None:
    work.enqueue(number)


def enqueue_many(numbers: Sequence[int]) -> None:
    default_task_backend.enqueue_many([(work, (number,), {}) for number in numbers])


def enqueue_commands(commands: Sequence[str]) -> None:
    """Enqueue shell jobs, for `shell.py`."""
    from jobs import clock, new_job, queue  # noqa: PLC0415 - the workers import this module before there are models

    now = clock.now()
    queue.enqueue_many([new_job.from_fields({"command": command}, now=now) for command in commands], now=now)


def completed() -> int:
    from jobs.models import Job  # noqa: PLC0415 - the workers import this module before there are models

    return Job.objects.filter(state="completed").count()


def workers() -> list[list[str]]:
    return [["django-admin", "queuectl", "worker", "start", "--count", "2"]]
