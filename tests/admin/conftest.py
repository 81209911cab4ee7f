"""People with different rights, and their browsers."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

VIEW = {"view_job", "view_deadjob", "view_config", "view_supervisor", "view_dashboard"}
OPERATE = VIEW | {
    "view_output",
    "requeue_job",
    "cancel_job",
    "delete_job",
    "enqueue_job",
    "change_retry",
    "change_config",
    "pause_queue",
    "stop_supervisor",
}

Login = Callable[..., Client]


@pytest.fixture
def login(db) -> Login:
    """Return a function that makes a member of staff with these permissions, and their browser."""

    def make(*permissions: str) -> Client:
        user = User.objects.create_user(f"user{User.objects.count()}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="jobs", codename__in=permissions))
        return browser_of(user)

    return make


@pytest.fixture
def operator(login: Login) -> Client:
    """Return the browser of someone who may do everything, and is not a superuser."""
    return login(*OPERATE)


@pytest.fixture
def superuser(db) -> Client:
    return browser_of(User.objects.create_superuser("root"))


def browser_of(user: User) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(user)
    return client
