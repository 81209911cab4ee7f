"""The package's own settings for its tests, with our backend."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, TASKS

INSTALLED_APPS = [*INSTALLED_APPS, "jobs"]
TASKS = {"default": {**TASKS["default"], "BACKEND": "suites.at_once.AtOnce", "OPTIONS": {"max_retries": 0}}}
