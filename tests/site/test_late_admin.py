"""The pages of the admin are imported by what shows or checks them, and by nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def seen(tmp_path: Path):
    """Return what a process of the site prints that has started Django."""

    def seen(code: str) -> str:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", f"import django, sys; django.setup(); {code}"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "QUEUECTL_HOME": str(tmp_path),
                "DJANGO_SETTINGS_MODULE": "queuectl_site.settings",
            },
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout.strip()

    return seen


def test_it_does_not_import_the_pages_when_it_starts(seen):
    assert seen("print('jobs.admin' in sys.modules)") == "False"


def test_it_has_every_page_once_the_urls_are_imported(seen):
    pages = "reverse('admin:jobs_job_changelist'), reverse('admin:auth_user_add')"
    code = f"from django.urls import reverse; print({pages})"
    assert seen(code) == "/admin/jobs/job/ /admin/auth/user/add/"


def test_it_checks_the_pages(seen):
    code = """
from django.core.checks import run_checks
from django.contrib import admin
print(run_checks(tags=["admin"]), len(admin.site._registry) > 4)
from jobs.models import Job
type(admin.site.get_model_admin(Job)).list_display = ["no_such_column"]
print([message.id for message in run_checks(tags=["admin"])])
"""
    assert seen(f"exec({code!r})") == "[] True\n['admin.E108']"
