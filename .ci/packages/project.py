"""What the scenarios share: the project, a real worker, other processes of the package, and waiting.

A scenario imports this first; it sets Django up and makes the tables.
"""  # noqa: INP001 - on the path as it is

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import django

DEADLINE_SECONDS = 90  # generous: a machine that runs other things as well takes its time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

call_command("migrate", verbosity=0)


def drain() -> None:
    """Run a worker until nothing is due, as a person would."""
    subprocess.run(_command("queuectl", "worker", "start", "--drain"), check=True, timeout=DEADLINE_SECONDS)  # noqa: S603 - this script's own arguments


@contextmanager
def running(*command: str) -> Iterator[None]:
    """Have a management command run meanwhile."""
    process = subprocess.Popen(_command(*command))  # noqa: S603 - as above
    try:
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not so after {DEADLINE_SECONDS} s: {condition.__doc__ or condition}")
        time.sleep(0.1)


def page(path: str) -> str:
    """Return a page as a superuser sees it."""
    user, _ = get_user_model().objects.get_or_create(username="root", defaults={"is_staff": True, "is_superuser": True})
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    response = client.get(path, follow=True)
    if response.status_code != 200:
        raise SystemExit(f"{path} answers {response.status_code}")
    return response.text


def equal(found: object, expected: object) -> None:
    """Refuse anything else; an assert would be silent under -O."""
    if found != expected:
        raise SystemExit(f"found {found!r}, expected {expected!r}")


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "django", *words]
