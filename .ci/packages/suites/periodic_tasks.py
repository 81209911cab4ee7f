"""The settings of the package's sandbox, with our backend where its tests use Django's DummyBackend."""

from django_periodic_tasks import compat

from suites.periodic_tasks_own import *  # noqa: F403
from suites.periodic_tasks_own import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "jobs"]
TASKS = {"default": {"BACKEND": "suites.at_once.Kept"}}
compat.DUMMY_BACKEND_PATH = TASKS["default"]["BACKEND"]
