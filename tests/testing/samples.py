"""The tasks of other tests, and some that do what is particular within a test."""

import asyncio
import logging
import sys
import time

from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction

from jobs.tasks import JobContext, Stopped, task
from tests.tasks.samples import add as add
from tests.tasks.samples import add_async as add_async
from tests.tasks.samples import cancel_itself as cancel_itself
from tests.tasks.samples import enqueue_another as enqueue_another
from tests.tasks.samples import exit_with as exit_with
from tests.tasks.samples import fail as fail
from tests.tasks.samples import interrupt as interrupt
from tests.tasks.samples import never_retry as never_retry
from tests.tasks.samples import return_object as return_object
from tests.tasks.samples import run_later as run_later

logger = logging.getLogger(__name__)


@task(queue_name="letters")
def write_letter():
    return None


@task(takes_context=True)
def report(context: JobContext):
    sys.stdout.write("printed é\n")
    logger.warning("logged")
    context.progress(0.4, "two of five")


@task
def spin(seconds):
    """Run Python code for that long, unless it is asked to end."""
    try:
        _compute(seconds)
    except Stopped as sign:
        sys.stdout.write(f"ended by {type(sign).__name__}\n")
        raise


def _compute(seconds):
    """Apart from the `try`: in Python 3.13.0 one does not cover the jump back to the beginning of a loop in it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(100))


@task
async def wait(seconds):
    await asyncio.sleep(seconds)


@task
def sleep(seconds):
    time.sleep(seconds)


@task
def make_group(name):
    return Group.objects.create(name=name).pk


@task(max_retries=0)
def break_transaction(name):
    """Fail in the database, in the middle of whatever transaction there is."""
    Group.objects.create(name=name)
    Group.objects.create(name=name)


@task
def break_and_go_on(name):
    with connection.cursor() as cursor:
        try:
            cursor.execute("INSERT INTO nowhere (name) VALUES (%s)", [name])
        except Exception as error:  # noqa: BLE001 - whatever a database calls it
            return type(error).__name__


@task
def undo_a_part():
    """Leave a callback in a part of the transaction that is undone."""
    try:
        with transaction.atomic():
            transaction.on_commit(lambda: add.enqueue("undone"))
            raise IntegrityError
    except IntegrityError:
        return "undone"


@task
def enqueue_on_commit(times):
    with transaction.atomic():
        transaction.on_commit(lambda: add.enqueue(times))
        if times > 1:
            transaction.on_commit(lambda: enqueue_on_commit.enqueue(times - 1))


@task
def enqueue_itself():
    enqueue_itself.enqueue()


@task(max_retries=5, takes_context=True, backoff_base=60)
def succeed_at_third(context: JobContext):
    if context.attempt < 3:
        raise ConnectionError(f"attempt {context.attempt}")
    return context.task_result.attempts
