"""What the sites with a skin have in common."""

from typing import Any


def apps(skin: str) -> list[str]:
    """Return what such a project installs: the skin stands before the admin, whose templates it replaces."""
    return [
        skin,
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "jobs",
    ]


def without_own_templates(templates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return these without the branding of our own site, which no project of others has."""
    return [engine | {"DIRS": []} for engine in templates]
