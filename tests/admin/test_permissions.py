"""Who may see and do what. Nothing comes with being staff, and no right comes with another."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Job
from tests.admin.conftest import OPERATE, VIEW, Login, browser_of
from tests.admin.pages import CHANGES, PAGES, everything, get, make_rows, post, settings, text_of

pytestmark = pytest.mark.django_db


def all_but(missing: str) -> set[str]:
    """Return all rights but one, and but the one that would include it: whoever may change settings may see them."""
    return OPERATE - ({"view_config", "change_config"} if missing == "view_config" else {missing})


@pytest.fixture(autouse=True)
def rows(db):
    make_rows()


@pytest.mark.parametrize("path", PAGES)
def test_it_shows_no_page_to_a_visitor(path):
    response = get(Client(), path)

    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("path", PAGES)
def test_it_shows_no_page_to_someone_who_is_not_staff(path):
    response = get(browser_of(User.objects.create_user("customer")), path)

    assert response.headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("path", PAGES)
def test_it_shows_no_page_to_staff_without_rights(login: Login, path):
    assert get(login(), path).status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_it_shows_a_viewer_what_needs_no_more_than_viewing(login: Login, path):
    assert get(login(*VIEW), path).status_code == (200 if PAGES[path] <= VIEW else 403)


@pytest.mark.parametrize("path", PAGES)
def test_it_shows_an_operator_and_a_superuser_every_page(operator: Client, superuser: Client, path):
    assert get(operator, path).status_code == get(superuser, path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_it_needs_each_of_the_rights_of_a_page(login: Login, path):
    for missing in PAGES[path]:
        assert get(login(*all_but(missing)), path).status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_it_changes_nothing_on_get(superuser: Client, path):
    before = everything()

    get(superuser, path)

    assert everything() == before


@pytest.mark.parametrize("name", CHANGES)
def test_it_changes_something_for_exactly_the_rights_that_needs(login: Login, name):
    path, data, needed = CHANGES[name]
    before = everything()

    response = post(login(*needed), path, data)

    assert response.status_code == 302
    assert everything() != before


@pytest.mark.parametrize("name", CHANGES)
def test_it_changes_nothing_if_any_of_those_rights_is_missing(login: Login, name):
    path, data, needed = CHANGES[name]
    before = everything()

    for missing in needed:
        assert post(login(*all_but(missing)), path, data).status_code == 403

    assert everything() == before


@pytest.mark.parametrize("name", CHANGES)
def test_it_changes_nothing_for_visitors_and_plain_staff(login: Login, name):
    path, data, _needed = CHANGES[name]
    before = everything()

    assert post(Client(), path, data).status_code == 302
    assert post(login(), path, data).status_code == 403
    assert post(login(*VIEW), path, data).status_code == 403

    assert everything() == before


@pytest.mark.parametrize("name", CHANGES)
def test_it_changes_nothing_on_get_with_the_same_fields(superuser: Client, name):
    path, data, _needed = CHANGES[name]
    before = everything()

    superuser.get(f"/admin/jobs/{path}", data)

    assert everything() == before


@pytest.mark.parametrize("name", CHANGES)
def test_it_changes_nothing_without_a_csrf_token(name):
    path, data, _needed = CHANGES[name]
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    before = everything()

    assert post(client, path, data).status_code == 403

    assert everything() == before


@pytest.mark.parametrize("path", ["job/add/", "deadjob/add/", "supervisor/add/"])
def test_it_has_no_form_to_add_a_row_even_for_a_superuser(superuser: Client, path):
    assert get(superuser, path).status_code == 403
    assert post(superuser, path, {"id": "x", "command": "touch /tmp/x", "kind": "shell"}).status_code == 403


@pytest.mark.parametrize("path", ["job/waiting1/change/", "deadjob/dead1/change/", "supervisor/1/change/"])
def test_it_changes_no_field_of_a_row_by_a_crafted_post(superuser: Client, path):
    crafted = {
        "id": "other",
        "command": "touch /tmp/owned",
        "uses_shell": "on",
        "cwd": "/",
        "env": "{}",
        "task": "os.system",
        "args": "[]",
        "kwargs": "{}",
        "state": "pending",
        "host": "x",
        "_save": "Save",
        "_saveasnew": "1",
        "_continue": "1",
    }
    before = everything()

    assert post(superuser, path, crafted).status_code == 403

    assert everything() == before


def test_it_changes_nothing_of_what_is_executed_through_the_page_of_retry_settings(superuser: Client):
    asked = settings(queue="mail", priority="1")
    crafted = {
        "command": "touch /tmp/owned",
        "cwd": "/",
        "env": "{}",
        "task": "os.system",
        "signature": "x",
        "state": "dead",
    }

    assert post(superuser, "job/waiting1/settings/", asked | crafted).status_code == 302

    job = Job.objects.get(pk="waiting1")
    assert (job.command, job.cwd, job.env, job.task, job.signature, job.state) == (
        "true",
        None,
        None,
        None,
        None,
        "pending",
    )
    assert job.queue == "mail"


@pytest.mark.parametrize("path", ["job/", "deadjob/", "supervisor/"])
def test_it_offers_a_viewer_no_actions_and_an_operator_his(login: Login, operator: Client, path):
    assert "<option value=" not in text_of(get(login(*VIEW), path)).replace('<option value=""', "")
    assert len(
        re.findall(r'<option value="(?:requeue|run_now|cancel|delete_selected|stop)"', text_of(get(operator, path)))
    ) in {1, 2, 4}


def test_it_offers_no_tools_to_a_viewer(login: Login):
    viewer = login(*VIEW)

    assert "/requeue/" not in text_of(get(viewer, "job/dead1/change/"))
    assert "/requeue/" not in text_of(get(viewer, "job/"))
    assert "/pause/" not in text_of(get(viewer, "config/mail/change/"))
    assert "/stop/" not in text_of(get(viewer, "supervisor/1/change/"))


def test_it_does_not_delete_a_running_job_through_any_of_djangos_own_ways(superuser: Client):
    before = everything()

    action = {"action": "delete_selected", "_selected_action": "running1", "post": "yes"}
    assert "1 job is left as it is" in text_of(post(superuser, "job/", action))
    assert post(superuser, "job/running1/delete/", {"post": "yes"}).status_code == 302

    assert everything() == before


def test_it_leads_from_djangos_page_for_deleting_to_our_own(superuser: Client):
    assert get(superuser, "job/dead1/delete/").headers["Location"] == "/admin/jobs/job/delete/?job=dead1"
    assert get(superuser, "deadjob/dead1/delete/").headers["Location"] == "/admin/jobs/deadjob/discard/?job=dead1"
