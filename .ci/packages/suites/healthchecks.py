"""The project's own settings, with the app."""

from hc.settings import *  # noqa: F403
from hc.settings import INSTALLED_APPS

INSTALLED_APPS = (*INSTALLED_APPS, "jobs")
TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend"}}
