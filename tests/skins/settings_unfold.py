"""The site under django-unfold, with the queue's pages as they register themselves."""

from tests.settings import *  # noqa: F403
from tests.settings import TEMPLATES
from tests.skins import sites

INSTALLED_APPS = sites.apps("unfold")
TEMPLATES = sites.without_own_templates(TEMPLATES)
ROOT_URLCONF = "tests.skins.urls"
