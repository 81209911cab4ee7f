"""The site under django-unfold, with the queue's pages mixed with its ModelAdmin, as docs/how-to/skins.md tells."""

from tests.settings import *  # noqa: F403
from tests.settings import TEMPLATES
from tests.skins import sites

INSTALLED_APPS = [*sites.apps("unfold"), "tests.skins.mixed"]
TEMPLATES = sites.without_own_templates(TEMPLATES)
ROOT_URLCONF = "tests.skins.urls"
