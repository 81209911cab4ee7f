"""Tasks for tests, as a project would write them; workers import them, too."""

import asyncio
import contextlib
import datetime as dt
import logging
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.contrib.sessions.models import Session
from django.db import connection, transaction

from jobs.tasks import CancelJob, JobContext, NeverRetry, RunLater, Stopped, task

logger = logging.getLogger("samples")


@task
def add(a, b=0):
    return a + b


@task
async def add_async(a, b=0):
    await asyncio.sleep(0)
    return a + b


@task
def sync(order, api_key="sk_hush", token=None, url="redis://:hush@host"):
    pass


@task
def fail(message="no luck"):
    raise ValueError(message)


@task(max_retries=0)
def exit_with(code):
    sys.exit(code)


@task
def interrupt():
    raise KeyboardInterrupt


@task
def return_object():
    return object()


@task
def run_later(seconds):
    raise RunLater(seconds)


@task
def never_retry():
    raise NeverRetry("it is of no use")


@task
def cancel_itself():
    raise CancelJob("nothing to do")


def _policy(error, attempt):
    return False if isinstance(error, KeyError) else 100.0 * attempt


@task(retry=_policy)
def with_policy(key):
    raise (KeyError if key else ValueError)(key)


@task(takes_context=True)
def tell(context: JobContext):
    return [context.attempt, context.task_result.attempts, context.is_stopping, context.seconds_left]


@task(takes_context=True)
def report(context: JobContext, seconds):
    print("printed é")
    logger.warning("logged")
    with transaction.atomic():
        connection.ensure_connection()
        context.progress(0.4, "two of five")
        time.sleep(seconds)


@task
def spin(seconds):
    """Run Python code for that long; say whether it was asked to end."""
    until = time.monotonic() + seconds
    try:
        # Not `while time.monotonic() < until`: Python leaves the jump of such a loop out of the `try` around it, and an
        # exception that is raised from outside just there passes the handler by.
        while True:
            if time.monotonic() >= until:
                return "not ended"
            sum(range(100))
    except Stopped as sign:
        print(f"ended by {type(sign).__name__}")
        raise


@task
async def wait(seconds):
    await asyncio.sleep(seconds)
    return "not ended"


@task
def sleep(seconds):
    """Wait in C code, where no exception reaches."""
    time.sleep(seconds)


@task
def ignore(seconds):
    """Go on, whatever is asked."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except BaseException:  # noqa: BLE001
            print("no")


@task(queue_name="letters", priority=7, max_retries=5, backoff_base=3, backoff_max=600, timeout=30)
def with_settings():
    return None


@task
def enqueue_another(depth):
    if depth:
        enqueue_another.enqueue(depth - 1)


not_a_task = len


# For the runner: what tasks do to themselves, to their worker and to their connection.

ANSWERS: dict[str, Any] = {
    "seconds": 5,
    "fraction": 0.5,
    "none": None,
    "false": False,
    "true": True,
    "negative": -5,
    "nan": float("nan"),
    "infinite": float("inf"),
    "huge": 10**400,
    "text": "soon",
}


def _answer(error, attempt):
    name = error.args[0]
    if name == "raises":
        raise RuntimeError("a defect of the policy")
    if name == "exits":
        sys.exit(1)
    return ANSWERS[name]


@task(retry=_answer)
def ask_policy(name):
    raise LookupError(name)


later_seconds: Any = 3


@task(retry=lambda error, attempt: False)
def run_later_as_said():
    raise RunLater(later_seconds)


class WordlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


LongNamedError = type("E" * 300, (Exception,), {})


@task
def fail_strangely(how):
    """Raise what is hard to write down."""
    match how:
        case "wordless":
            raise WordlessError
        case "large":
            raise ValueError("x" * 3_000_000)
        case "long name":
            raise LongNamedError
        case "characters":
            raise ValueError("NUL \0, surrogate \ud800")
        case "lines":
            raise ValueError("first\nsecond")
        case "deep":
            fail_strangely.func("deep")
        case "generator":
            raise GeneratorExit
        case "cancelled":
            raise asyncio.CancelledError


@task
async def fail_async(message):
    await asyncio.sleep(0)
    raise ValueError(message)


@task
async def exit_async(code):
    await asyncio.sleep(0)
    sys.exit(code)


@task
def return_it(name):
    """Return what is not JSON, or hardly."""
    values = {
        "nan": float("nan"),
        "set": {1},
        "large": "x" * 2_000_000,
        "bytes": b"\xff",
        "text as bytes": b"text",
        "tuple": (1, (2,)),
        "characters": "NUL \0, surrogate \ud800",
        "keys": {1: "a"},
    }
    return values[name]


@task(takes_context=True)
def say(context: JobContext, share, message):
    context.progress(share, message)


@task(takes_context=True)
def say_much(context: JobContext):
    context.progress(0.5, "x" * 1_000_000)


@task(takes_context=True)
def wait_until_asked(context: JobContext):
    """Go on in small steps, and look whether it has to end."""
    is_asked = False
    try:
        while True:
            time.sleep(0.005)
    except Stopped:
        is_asked = context.is_stopping
        raise
    finally:
        print(f"asked: {is_asked}")


@task
async def wait_and_clean_up(seconds):
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.sleep(0)
        print("cleaned up")


@task
def die(code):
    """End the worker itself."""
    print("last words", flush=True)
    os._exit(code)


@task
def eat_memory():
    """Take more and more, until the kernel has an opinion."""
    held = []
    while True:
        held.append(bytearray(b"x" * (4 << 20)))


@task
def fail_with_a_pool(count):
    """Raise while processes forked here wait for work; each pool terminates its own, and waits for them."""
    for _ in range(count):
        with contextlib.suppress(LookupError), multiprocessing.get_context("fork").Pool(2):
            raise LookupError
    raise ValueError("no luck")


@task
def wait_for_process(command):
    """Wait for a process with a session of its own, and return its exit code."""
    return subprocess.Popen(["sh", "-c", command], start_new_session=True).wait()


leaked: list[int] = []


@task
def leak_descriptors():
    """Open files until no more may be open, and keep them."""
    try:
        while True:
            leaked.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.strerror


@task
def spoil_connection():
    """Leave a connection that raises what no database does when it is looked after."""
    connection.ensure_connection()
    del connection.settings_dict["AUTOCOMMIT"]


@task
def start_process(seconds):
    """Leave a process behind, and wait."""
    process = subprocess.Popen(["sleep", str(seconds)], start_new_session=True)
    print(process.pid)
    time.sleep(float(seconds))


@task
def leave_transaction_open():
    transaction.atomic().__enter__()
    Session(session_key="left", session_data="", expire_date="2030-01-01T00:00:00Z").save()


@task
def close_connection(how):
    """Leave the connection closed, or broken."""
    if how == "in transaction":
        transaction.atomic().__enter__()
        connection.close()
    elif how == "closed":
        connection.close()
    elif how == "broken":
        connection.ensure_connection()
        connection.connection.close()
    elif how == "broken in transaction":
        transaction.atomic().__enter__()
        connection.connection.close()
    elif how == "without autocommit":
        transaction.set_autocommit(False)


@task
def count_sessions():
    return Session.objects.count()


@task
def mark(name):
    """Show that it ran, to tests that look at the database."""
    Session.objects.update_or_create(
        session_key=name, defaults={"session_data": "", "expire_date": "2030-01-01T00:00:00Z"}
    )


@task
def enqueue_and_defer():
    enqueue_another.enqueue(1)
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    mark.using(run_after=soon).enqueue("later")


@task(takes_context=True)
def say_and_spin(context: JobContext, seconds):
    context.progress(0.4, "two of five")
    return spin.func(seconds)


@task(takes_context=True)
def wait_for_file(context: JobContext, path):
    """Wait in small steps, and show how far it is; return the number of attempts."""
    print("waiting")
    logger.warning("for a file")
    context.progress(0.4, "two of five")
    while not Path(path).exists():
        time.sleep(0.01)
    return context.task_result.attempts


@task(takes_context=True)
def wait_in_transaction(context: JobContext, path):
    with transaction.atomic():
        connection.cursor().execute("SELECT 1")
        return wait_for_file.func(context, path)
