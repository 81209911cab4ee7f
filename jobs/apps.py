"""The app's entry in INSTALLED_APPS."""

import contextlib

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "jobs"
    label = "jobs"
    verbose_name = _("Job queue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Deferred: the checks import models, which do not exist before the registry is ready.
        from jobs import checks  # noqa: F401, PLC0415

        # Nothing else imports this for sure, and with it come the checks of the backends in TASKS.
        with contextlib.suppress(ModuleNotFoundError):  # Django 5.2 without its backport of tasks
            from jobs.tasks import api  # noqa: F401, PLC0415
