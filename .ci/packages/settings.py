"""A project with one public package beside the queue. PACKAGE names its app, HOME_DIR the place of the database."""  # noqa: INP001 - on the path as it is

import os
from pathlib import Path

from jobs import sqlite_options

PACKAGE = os.environ["PACKAGE"]
SECRET_KEY = "not a secret"  # noqa: S105
USE_TZ = True
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "jobs",
    PACKAGE,
    f"with_{PACKAGE.removeprefix('django_')}",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ["HOME_DIR"]) / "db.sqlite3",
        "OPTIONS": sqlite_options.options(),
    }
}
# A package that retries by itself, or counts failures, is to see each attempt as one task.
TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": [], "OPTIONS": {"max_retries": 0}}}

MAINTENANCE_TASKS = {"MAX_RUNTIME": 0.2}  # seconds; a longer run goes on in another task
