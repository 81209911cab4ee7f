"""The package's own settings for its tests, with our backend; its `db_worker` is ours, too."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, TASKS

INSTALLED_APPS = ["suites", *INSTALLED_APPS, "jobs"]
TASKS["default"] |= {"BACKEND": "jobs.backend.JobsBackend", "OPTIONS": {"max_retries": 0}}
