"""The package leaves it to the project to import its tasks before the scheduler starts."""

from importlib import import_module

from django.apps import AppConfig


class WithScheduledTasks(AppConfig):
    name = "with_scheduled_tasks"

    def ready(self) -> None:
        import_module("with_scheduled_tasks.tasks")
