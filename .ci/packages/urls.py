"""The admin, and the pages of the package if it has any."""  # noqa: INP001

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

PAGES = {"overseer": "overseer.urls", "django_taskly": "django_taskly.urls"}

urlpatterns = [path("admin/", admin.site.urls)]
if settings.PACKAGE in PAGES:
    urlpatterns.append(path("pages/", include(PAGES[settings.PACKAGE])))
