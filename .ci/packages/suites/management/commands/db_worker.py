"""What the suites call to have their tasks run: a command of django-tasks-db, here with our queue behind it."""

from typing import Any

from django.core.management.base import BaseCommand

from suites import at_once


class Command(BaseCommand):
    stealth_options = ("queue_name", "exclude_queues", "batch", "startup_delay", "interval", "max_tasks", "heartbeat")

    def handle(self, **_options: Any) -> None:
        at_once.work()
