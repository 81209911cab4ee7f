"""Sends the queue's tables to a database of their own: `DATABASE_ROUTERS = ["jobs.router.QueueRouter"]`."""

from typing import Any

from django.db.models import Model

from jobs import conf

APP_LABEL = "jobs"


class QueueRouter:
    """Routes by the app of the model; every other app is left to the other routers, and kept off the queue's database.

    Does nothing while `JOBS["DATABASE"]` is `default`.
    """

    def db_for_read(self, model: type[Model], **_: Any) -> str | None:
        return conf.database_alias() if model._meta.app_label == APP_LABEL else None

    def db_for_write(self, model: type[Model], **_: Any) -> str | None:
        return self.db_for_read(model)

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool | None:
        alias = conf.database_alias()
        if app_label == APP_LABEL:
            return db == alias
        return False if db == alias != "default" else None
