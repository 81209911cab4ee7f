"""Django's `migrate`, which makes the site's files first: `initdb` calls it, and nothing else makes them.

A command that made them wherever it is started would take a wrong QUEUECTL_HOME for a new, empty queue.
"""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from queuectl_site import home


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> str | None:
        """Make the files before the system checks, some of which look at the database."""
        home.make(connections[options["database"]])
        return super().execute(*args, **options)
