"""The admin as this site installs it: its pages are imported by the URLs, not by every process.

The command line and the workers never show one: it would take them a tenth of their start, and 2 MB each.
"""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class LateAdminConfig(SimpleAdminConfig):
    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(_check_pages, checks.Tags.admin)


def _check_pages(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[checks.CheckMessage]:
    """Check what Django's own check does, which would find no page before the URLs are imported."""
    admin.autodiscover()
    return check_admin_app(app_configs, **options)
