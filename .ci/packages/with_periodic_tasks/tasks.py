from django.tasks import task
from django_periodic_tasks.decorators import exactly_once
from django_periodic_tasks.registry import scheduled_task


@scheduled_task(cron="* * * * *", args=["by the clock"])
@task
@exactly_once
def say(words: str) -> str:
    return words
