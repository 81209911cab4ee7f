"""The site is its admin, and begins with the dashboard."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

admin.autodiscover()  # not when Django starts: see late_admin

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:jobs_dashboard_changelist")),
    path("admin/", admin.site.urls),
]
