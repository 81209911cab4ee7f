"""Found by the package under this name."""

import time

from django.contrib.auth.models import User
from django.db.models import QuerySet
from maintenance_tasks import MaintenanceTask


class FillLastNames(MaintenanceTask):
    batch_size = 20

    def collection(self) -> QuerySet[User]:
        return User.objects.filter(last_name="")

    def process(self, user: User) -> None:
        time.sleep(self.arguments.get("delay", 0))
        user.last_name = user.username.upper()
        user.save(update_fields=["last_name"])
