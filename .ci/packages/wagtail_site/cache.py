"""A cache in front of the site that writes down what it is told to purge."""

from pathlib import Path
from typing import Any

from django.conf import settings
from wagtail.contrib.frontend_cache.backends import BaseBackend

PURGED = Path(settings.BASE_DIR) / "purged.txt"


class Listed(BaseBackend):
    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__(params)

    def purge(self, url: str) -> None:
        with PURGED.open("a") as file:
            file.write(f"{url}\n")
