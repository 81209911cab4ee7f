"""django-tasks-db: the reference backend of `django.tasks`; two worker processes, which poll."""

# /// script
# dependencies = ["django-tasks-db==0.13.*"]
# [tool.benchmark]
# name = "django-tasks-db"
# settings = [
#     "db_worker --interval 0.1 --no-startup-delay, twice (default interval: 1 s)",
#     "SQLite: WAL, synchronous=FULL, IMMEDIATE transactions",
#     "bulk: enqueue one by one in one transaction",
# ]
# [tool.benchmark.stores]
# sqlite = []
# postgresql = ["psycopg[binary]>=3.2"]
# mariadb = ["mysqlclient>=2.2.4"]
# [tool.benchmark.django]
# INSTALLED_APPS = ["django_tasks_db"]
# TASKS.default.BACKEND = "django_tasks_db.DatabaseBackend"
# ///

from collections.abc import Sequence

from django.core.management import call_command
from django.db import transaction
from django.tasks import task

from benchmarks import mark


@task
def work(number: int) -> None:
    mark.mark(number)


def prepare() -> None:
    call_command("migrate", verbosity=0)


def enqueue(number: int) -> None:
    work.enqueue(number)


@transaction.atomic
def enqueue_many(numbers: Sequence[int]) -> None:
    for number in numbers:
        work.enqueue(number)


def completed() -> int:
    from django_tasks_db.models import DBTaskResult  # noqa: PLC0415 - the workers import this module before it

    return DBTaskResult.objects.successful().count()


def workers() -> list[list[str]]:
    command = "django-admin db_worker --interval 0.1 --no-startup-delay --no-reload --verbosity 0"
    return [command.split()] * 2
