from apscheduler.triggers.interval import IntervalTrigger
from crontask import cron
from django.tasks import task


@cron(IntervalTrigger(seconds=1))
@task
def tick() -> str:
    return "tock"
