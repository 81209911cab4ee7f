"""The site under django-jazzmin, which has no ModelAdmin of its own."""

from tests.settings import *  # noqa: F403
from tests.settings import TEMPLATES
from tests.skins import sites

INSTALLED_APPS = sites.apps("jazzmin")
TEMPLATES = sites.without_own_templates(TEMPLATES)
ROOT_URLCONF = "tests.skins.urls"
JAZZMIN_SETTINGS = {"use_google_fonts_cdn": False}  # by default it loads one from elsewhere
