"""The settings of the systems that live in a Django project: those of the head of the system's file, on its store."""

import os
from typing import Any
from urllib.parse import urlsplit

from benchmarks import catalogue
from jobs import sqlite_options

_system = catalogue.read(catalogue.SYSTEMS / f"{os.environ['BENCH_SYSTEM']}.py")
_url = urlsplit(os.environ["BENCH_URL"])
_ENGINES = {"sqlite": "sqlite3", "postgresql": "postgresql", "mariadb": "mysql"}
# For all the same: no commit is lost in a power cut, and no transaction fails because it read before it wrote.
_SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
}

SECRET_KEY = "not a secret"  # noqa: S105 - as it says
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": f"django.db.backends.{_ENGINES[os.environ['BENCH_STORE']]}",
        "CONN_MAX_AGE": None,  # or a worker that closes old connections after each job would connect for each
    }
}
if os.environ["BENCH_STORE"] == "sqlite":
    _options = sqlite_options.options() if _system.name == "queuectl" else _SQLITE
    DATABASES["default"] |= {"NAME": _url.path, "OPTIONS": _options}
else:
    DATABASES["default"] |= {
        "NAME": _url.path.removeprefix("/"),
        "HOST": _url.hostname,
        "PORT": _url.port or "",
        "USER": _url.username or "",
        "PASSWORD": _url.password or "",
    }
LOGGING = {"version": 1, "disable_existing_loggers": False, "loggers": {"django.tasks": {"level": "WARNING"}}}
globals().update(_system.django)
