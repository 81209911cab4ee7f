"""The site's own settings on a temporary home: a test run neither reads nor touches its caller's files.

Processes that a test starts inherit QUEUECTL_TEST_HOME and so meet the same files and the same SQLite database.
DATABASE_URL chooses another database; every other variable of the caller is put aside.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

SITE_VARIABLES = {
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "DEBUG",
    "LOG_LEVEL",
    "QUEUE_DATABASE_URL",
    "SECRET_KEY",
    "SECURE_COOKIES",
    "TIME_ZONE",
}


def _home() -> str:
    if inherited := os.environ.get("QUEUECTL_TEST_HOME"):
        return inherited
    created = tempfile.mkdtemp(prefix="queuectl-test-")
    atexit.register(shutil.rmtree, created, ignore_errors=True)
    os.environ["QUEUECTL_TEST_HOME"] = created
    return created


for name in list(os.environ):
    if name in SITE_VARIABLES or name.startswith("JOBS_"):
        del os.environ[name]
os.environ["QUEUECTL_HOME"] = _home()
os.environ["SECRET_KEY"] = "a key for tests, which protects nothing"

from queuectl_site import home  # noqa: E402
from queuectl_site.settings import *  # noqa: E402, F403
from queuectl_site.settings import DATABASES, INSTALLED_APPS, JOBS  # noqa: E402

INSTALLED_APPS = [*INSTALLED_APPS, "tests.shop"]  # whose tasks the admin offers
JOBS = {
    **JOBS,
    "COMMANDS": {
        "backup": {
            "command": ["pg_dump", "--table={table}", "--file=/backup/{table}-{days}.dump"],
            "label": "Back up a table",
            "help": "Writes one table to the backup disk.",
            "parameters": {
                "table": {"choices": ["users", "orders"]},
                "days": {"type": "integer", "min": 1, "max": 90, "default": 30},
            },
            "queue": "backups",
            "timeout": "10m",
        },
        "greet": {"command": ["echo", "hello", "{name}"], "parameters": {"name": {"pattern": ".+"}}},
    },
}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, and the same one for the processes that tests start; Django would otherwise test in memory.
    DATABASES["default"]["TEST"] = {"NAME": DATABASES["default"]["NAME"]}
    home.ensure_database(Path(DATABASES["default"]["NAME"]))  # for commands that ask it nothing, such as `check`
