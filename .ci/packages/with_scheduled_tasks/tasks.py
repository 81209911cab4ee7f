from datetime import timedelta

from django.tasks import task
from django_scheduled_tasks import periodic_task


@periodic_task(interval=timedelta(seconds=1), call_args=(20,), call_kwargs={"b": 22})
@task
def add(a: int, b: int) -> int:
    return a + b
