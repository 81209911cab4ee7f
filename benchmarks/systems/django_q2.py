"""django-q2 with its ORM broker: one cluster of two workers."""

# /// script
# dependencies = ["django-q2==1.11.*", "Django>=6.0,<6.2"]
# [tool.benchmark]
# name = "django-q2"
# settings = [
#     "qcluster: workers=2, poll=0.05, bulk=50 (defaults: 0.2 s, 1), scheduler=False, save_limit=0 (keep all)",
#     "SQLite: WAL, synchronous=FULL, IMMEDIATE transactions",
# ]
# [tool.benchmark.stores]
# sqlite = []
# postgresql = ["psycopg[binary]>=3.2"]
# [tool.benchmark.django]
# INSTALLED_APPS = ["django.contrib.contenttypes", "django_q"]
# [tool.benchmark.django.Q_CLUSTER]
# name = "bench"
# orm = "default"
# workers = 2
# poll = 0.05
# bulk = 50
# timeout = 60
# retry = 120
# save_limit = 0
# scheduler = false
# log_level = "WARNING"
# ///

from django.core.management import call_command

from benchmarks import mark


def work(number: int) -> None:
    mark.mark(number)


def prepare() -> None:
    call_command("migrate", verbosity=0)


def enqueue(number: int) -> None:
    from django_q.tasks import async_task  # noqa: PLC0415 - the workers import this module to run a job

    async_task(work, number)


def completed() -> int:
    from django_q.models import Success  # noqa: PLC0415 - likewise

    return Success.objects.count()


def workers() -> list[list[str]]:
    return [["django-admin", "qcluster"]]
