"""What a site made by `wagtail start mysite` gets: the two lines of the queue, and a cache to be purged."""

from mysite.settings.dev import *  # noqa: F403
from mysite.settings.dev import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "jobs", "wagtail.contrib.frontend_cache"]
TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend"}}

WAGTAILADMIN_BASE_URL = "http://localhost"
WAGTAILFRONTENDCACHE = {"default": {"BACKEND": "wagtail_site.cache.Listed"}}
