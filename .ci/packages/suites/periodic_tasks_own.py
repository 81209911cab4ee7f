"""The settings of the package's sandbox, on SQLite."""

from sandbox.settings import *  # noqa: F403

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
