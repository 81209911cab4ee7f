"""The site's settings, read from environment variables. A wrong value stops the start with one line that names it.

QUEUECTL_HOME
    Where the site keeps its database, its key and its static files.
    Default: `var` in a checkout, else `~/.local/state/queuectl`.
DATABASE_URL
    The database of the queue: `sqlite:///FILE` (relative to the home directory), `sqlite:////FILE` (absolute),
    `postgres://USER:PASSWORD@HOST:PORT/NAME` or `mariadb://USER:PASSWORD@HOST:PORT/NAME`.
    Default: `sqlite:///queue.sqlite3`.
QUEUE_DATABASE_URL
    A database of its own for the queue, written like DATABASE_URL; all else stays in that one.
    Default: the queue shares DATABASE_URL.
SECRET_KEY
    Signs sessions and shell jobs. Every machine that works for one queue needs the same.
    Default: generated on first use and kept in the home directory.
DEBUG
    Show Django's debug pages. Never where others can reach the site.
    Default: `false`.
ALLOWED_HOSTS
    The host names the site answers to, separated by commas.
    Default: `localhost,127.0.0.1,[::1]`.
CSRF_TRUSTED_ORIGINS
    Origins that may post, such as `https://queue.example.com`, separated by commas. Needed when a proxy ends TLS.
    Default: none.
SECURE_COOKIES
    Send cookies over HTTPS only. Set it wherever the site is reached by HTTPS.
    Default: `false`.
TIME_ZONE
    The time zone in which the admin and the log show times.
    Default: `UTC`.
LOG_LEVEL
    The queue's log: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`.
    Default: `INFO`.
JOBS_*
    A key of the `JOBS` setting, in JSON or as text: `JOBS_GRACE_SECONDS=10`.
    Default: the key's own.

This list is the reference: the documentation is generated from it.
"""

import json
import os
import zoneinfo
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from jobs import sqlite_options
from queuectl_site import home

DATABASE_SCHEMES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "mariadb": "django.db.backends.mysql",
}
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

env = environ.Env()


def _flag(name: str) -> bool:
    text = env.str(name, default="").strip().lower()
    if text not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} is {text!r}; use true or false")
    return text in TRUE


def _names(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in env.str(name, default=default).split(",") if item.strip()]


def _origins() -> list[str]:
    origins = _names("CSRF_TRUSTED_ORIGINS")
    for origin in origins:
        if not origin.startswith(("http://", "https://")):
            raise ImproperlyConfigured(f"CSRF_TRUSTED_ORIGINS has {origin!r}; write it as https://{origin}")
    return origins


def _secret_key() -> str:
    # Not through django-environ, which takes a value that starts with $ for the name of another variable.
    key = os.environ.get("SECRET_KEY")
    if key is None:
        return home.secret_key(HOME)
    if not key.strip():
        raise ImproperlyConfigured("SECRET_KEY is empty; unset it to have one generated in the home directory")
    return key


def _time_zone() -> str:
    name: str = env.str("TIME_ZONE", default="UTC")
    try:
        if name != "UTC":  # which needs no time zone database
            zoneinfo.ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        raise ImproperlyConfigured(f"TIME_ZONE is {name!r}; use a name such as Europe/Berlin") from error
    return name


def _log_level() -> str:
    level: str = env.str("LOG_LEVEL", default="INFO").strip().upper()
    if level not in LOG_LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL is {level!r}; use one of {', '.join(LOG_LEVELS)}")
    return level


def _databases() -> dict[str, dict[str, Any]]:
    databases = {"default": _database("DATABASE_URL", env.str("DATABASE_URL", f"sqlite:///{home.DATABASE_NAME}"))}
    if url := env.str("QUEUE_DATABASE_URL", ""):
        databases["queue"] = _database("QUEUE_DATABASE_URL", url)
    return databases


def _database(name: str, url: str) -> dict[str, Any]:
    scheme = url.partition("://")[0]
    if scheme not in DATABASE_SCHEMES:
        raise ImproperlyConfigured(f"{name} must start with sqlite:///, postgres:// or mariadb://")
    if scheme == "sqlite":
        return _sqlite(name, url)
    return _server(name, url, engine=DATABASE_SCHEMES[scheme])


def _sqlite(name: str, url: str) -> dict[str, Any]:
    if not url.startswith("sqlite:///") or ":memory:" in url or "mode=memory" in url or url == "sqlite:///":
        raise ImproperlyConfigured(
            f"{name} must name a file for the queue, such as sqlite:////srv/queue.sqlite3; "
            "every process would see another database in memory"
        )
    database: dict[str, Any] = env.db_url_config(url)
    path = HOME / database["NAME"]
    home.ensure_database(path)
    return database | {"NAME": str(path), "OPTIONS": sqlite_options.options() | database.get("OPTIONS", {})}


def _server(name: str, url: str, *, engine: str) -> dict[str, Any]:
    try:
        database: dict[str, Any] = env.db_url_config(url, engine=engine)
    except ValueError:  # whose text may contain a part of the password
        remedy = "in user and password write / : @ # ? % as %2F and so on"
        raise ImproperlyConfigured(f"{name} cannot be read; {remedy}") from None
    if not database.get("NAME"):
        raise ImproperlyConfigured(f"{name} names no database; write it as postgres://USER:PASSWORD@HOST/NAME")
    return database | {"CONN_HEALTH_CHECKS": True}


def _jobs() -> dict[str, Any]:
    """Return the keys of `JOBS` that the environment sets; the system checks judge their names and values."""
    keys = {name.removeprefix("JOBS_"): _value(text) for name, text in os.environ.items() if name.startswith("JOBS_")}
    return {"DATABASE": "queue"} | keys if "queue" in DATABASES else keys


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


HOME = home.ensure()
CHECKOUT = home.checkout()

SECRET_KEY = _secret_key()
DEBUG = _flag("DEBUG")
ALLOWED_HOSTS = _names("ALLOWED_HOSTS", default="localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = _origins()

INSTALLED_APPS = [
    "queuectl_site.late_admin.LateAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "jobs",
]

# Every @task of an app that is added here runs in the queue, in any queue it names.
TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": []}}

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "queuectl_site.urls"
WSGI_APPLICATION = "queuectl_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # The wheel carries the checkout's templates/ inside the package.
        "DIRS": [(CHECKOUT or Path(__file__).resolve().parent) / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = _databases()
DATABASE_ROUTERS = ["jobs.router.QueueRouter"]  # does nothing while the queue is in the default database
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
JOBS = _jobs()

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{validator}"}
    for validator in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _flag("SECURE_COOKIES")
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
TIME_ZONE = _time_zone()

STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"class": "jobs.visible.Formatter", "format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "jobs": {"level": _log_level()},
        # Django's own handlers would print each line a second time, or mail it.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.tasks": {"level": "ERROR"},  # says of each task what `jobs` says of each job; tracebacks are welcome
    },
}
