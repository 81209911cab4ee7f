"""Whether the database and this code are of the same age, as far as the queue's own tables go."""

import pkgutil

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from jobs import migrations
from jobs.database import connection
from jobs.router import APP_LABEL


def missing(database: BaseDatabaseWrapper = connection) -> list[str]:
    """Return the migrations that this code has and the database has not."""
    return sorted(_known() - _applied(database))


def unknown(database: BaseDatabaseWrapper = connection) -> list[str]:
    """Return the migrations that the database has and this code has not: others run newer code."""
    return sorted(_applied(database) - _known())


def _known() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(migrations.__path__)}


def _applied(database: BaseDatabaseWrapper) -> set[str]:
    return {name for app, name in MigrationRecorder(database).applied_migrations() if app == APP_LABEL}
