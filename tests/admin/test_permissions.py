"""Who may see and do what. Nothing comes with being staff, and no right comes with another."""

import json
import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Job
from tests.admin import matrix
from tests.admin.conftest import OPERATE, VIEW, Login, browser_of
from tests.admin.matrix import address_of
from tests.admin.pages import (
    ACTIONS,
    CHANGES,
    CLOSED,
    LEADS,
    NOWHERE,
    PAGES,
    confirmed,
    everything,
    get,
    make_rows,
    post,
    settings,
    text_of,
)

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


@pytest.mark.parametrize("name", CHANGES)
def test_it_changes_something_for_an_operator(operator: Client, name):
    path, data, _needed = CHANGES[name]
    before = everything()

    assert post(operator, path, data).status_code == 302

    assert everything() != before


@pytest.mark.parametrize("name", CHANGES)
def test_it_changes_something_for_a_superuser(superuser: Client, name):
    path, data, _needed = CHANGES[name]
    before = everything()

    assert post(superuser, path, data).status_code == 302

    assert everything() != before


SHOWS = [path for path in PAGES if address_of(path) not in {address_of(changes) for changes, _, _ in CHANGES.values()}]


@pytest.mark.parametrize("path", SHOWS)
def test_it_changes_nothing_by_a_post_to_what_only_shows(superuser: Client, path):
    """A page that fails here changes something: it belongs into CHANGES of tests/admin/pages.py, too."""
    before = everything()

    post(superuser, path, confirmed(ids=json.dumps(["dead1"]), queue="mail", max_retries="1", _save="Save"))

    assert everything() == before


@pytest.mark.parametrize("path", CLOSED)
def test_it_is_closed_even_for_a_superuser(superuser: Client, path):
    crafted = {"id": "x", "command": "touch /tmp/x", "kind": "shell", "queue": "x", "post": "yes", "confirmed": "yes"}
    before = everything()

    assert get(Client(), path).status_code == post(Client(), path, crafted).status_code == 302
    assert get(superuser, path).status_code == post(superuser, path, crafted).status_code == 403

    assert everything() == before


@pytest.mark.parametrize("path", LEADS)
def test_it_leads_to_a_page_that_decides(superuser: Client, path):
    before = everything()

    for response in (get(superuser, path), post(superuser, path, {"post": "yes", "confirmed": "yes"})):
        assert response.headers["Location"] == f"/admin/jobs/{LEADS[path]}"
    assert get(Client(), path).headers["Location"].startswith("/admin/login/")

    assert address_of(LEADS[path]) in {address_of(page) for page in (*PAGES, *NOWHERE)}
    assert everything() == before


@pytest.mark.parametrize("path", NOWHERE)
def test_it_has_no_rows_behind_the_dashboard(superuser: Client, path):
    for response in (get(superuser, path), post(superuser, path, {"post": "yes"})):
        assert response.status_code == 403 or response.headers["Location"] == "/admin/"


def tick(client: Client, path: str, action: str) -> str:
    """Choose an action for a row of a list; return the page that comes of it."""
    row = "1" if path == "supervisor/" else "dead1"
    return text_of(post(client, path, {"action": action, "_selected_action": row}))


@pytest.mark.parametrize(("path", "action"), ACTIONS)
def test_it_asks_before_an_action_of_a_list(login: Login, path, action):
    before = everything()

    assert 'name="confirmed"' in tick(login(*ACTIONS[path, action]), path, action)

    assert everything() == before


@pytest.mark.parametrize(("path", "action"), ACTIONS)
def test_it_offers_no_action_of_a_list_to_whom_a_right_is_missing(login: Login, path, action):
    before = everything()

    for missing in ACTIONS[path, action]:
        assert 'name="confirmed"' not in tick(login(*all_but(missing)), path, action)
    assert 'name="confirmed"' not in tick(login(*VIEW), path, action)

    assert everything() == before


def test_it_knows_every_address_of_the_admin():
    unknown = matrix.addresses() - matrix.enforced()

    assert not unknown, (
        f"no test enforces who may use {sorted(unknown)}: add a path of each to PAGES in tests/admin/pages.py, with "
        "the permissions to see it; if a POST to it changes something, to CHANGES, too; then run make docs"
    )
    assert matrix.enforced() <= matrix.addresses()


def test_it_knows_every_action_of_the_lists(superuser: Client, rf):
    request = rf.get("/")
    request.user = User.objects.get(username="root")
    offered = {
        (f"{model._meta.model_name}/", action)
        for model, model_admin in admin.site._registry.items()
        if model._meta.app_label == "jobs"
        for action in model_admin.get_actions(request)
    }

    assert offered == set(ACTIONS), "the actions of the lists and ACTIONS in tests/admin/pages.py differ"


def test_it_needs_every_permission_for_something():
    unused = set(matrix.permissions()) - matrix.needed()

    assert unused <= {"enqueue_job"}, f"no page and no change in tests/admin/pages.py needs {sorted(unused)}"


def test_it_has_an_operator_with_every_permission():
    assert set(matrix.permissions()) - OPERATE <= {"enqueue_job"}, "OPERATE in tests/admin/conftest.py lacks some"
    assert set(matrix.permissions()) >= OPERATE


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
