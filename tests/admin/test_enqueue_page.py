"""Enqueueing from the admin: what is offered, what is refused, and that one form makes one job."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.test import Client

from jobs import queue
from jobs.admin import audit
from jobs.models import Job
from jobs.states import State
from tests.admin.conftest import Login
from tests.admin.pages import NEW_ID, get, markup_of, messages_of, post, text_of
from tests.named_commands.corpus import EVERYTHING
from tests.queue.racing import busy_error

pytestmark = pytest.mark.django_db

LIST = "job/enqueue/"
BACKUP = "job/enqueue/command/backup/"
GREET = "job/enqueue/command/greet/"
RECEIPT = "job/enqueue/task/tests.shop.tasks.send_5Freceipt/"
ADD = "job/enqueue/task/tests.tasks.samples.add/"


def filled(**fields: str) -> dict[str, str]:
    return {"id": NEW_ID, **fields}


def backup(**fields: str) -> dict[str, str]:
    return filled(**{"set_table": "users", "set_days": "7", **fields})


def id_on(client: Client, path: str) -> str:
    """Return the id that the form carries."""
    found = re.search(r'<input type="hidden" name="id" value="([^"]+)">', text_of(get(client, path)))
    assert found is not None
    return found[1]


def job() -> Job:
    return Job.objects.get()


# The list


def test_it_lists_the_commands_of_the_site_and_the_tasks_of_the_project(superuser: Client):
    html = text_of(get(superuser, LIST))

    assert '<a href="/admin/jobs/job/enqueue/command/backup/">Back up a table</a>' in html
    assert "pg_dump --table={table} --file=/backup/{table}-{days}.dump" in html
    assert "Writes one table to the backup disk." in html
    assert f'<a href="/admin/jobs/{RECEIPT}">tests.shop.tasks.send_receipt</a>' in html
    assert "send_receipt(order_id: int, *, copy_to: str | None = None)" in html
    assert "Mail the receipt of an order." in html
    assert "manage" not in html.replace("management", "")


def test_it_says_what_to_do_where_nothing_is_offered(superuser: Client, settings, monkeypatch):
    settings.JOBS = {}
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "tests.shop"]

    html = text_of(get(superuser, LIST))

    assert "The site names no commands." in html
    assert "JOBS = {&quot;COMMANDS&quot;:" in html
    assert "No installed app has a task." in html
    assert "from jobs.tasks import task" in html


def test_it_says_which_command_is_defined_wrongly_and_offers_the_others(superuser: Client, settings):
    settings.JOBS = {"COMMANDS": {"wrong": {"command": "ls"}, "good": {"command": ["true"]}}}

    html = text_of(get(superuser, LIST))

    assert "Not offered, until this is put right:" in html
    assert "is one text." in html
    assert "/enqueue/command/good/" in html
    assert "/enqueue/command/wrong/" not in html
    assert get(superuser, "job/enqueue/command/wrong/").status_code == 404


def test_it_is_reached_from_the_list_of_jobs_by_those_who_may(login: Login):
    assert 'href="/admin/jobs/job/enqueue/">Enqueue…</a>' in text_of(get(login("view_job", "enqueue_job"), "job/"))
    assert "/enqueue/" not in text_of(get(login("view_job"), "job/"))


@pytest.mark.parametrize(
    "path",
    [
        "job/enqueue/command/nothing/",
        "job/enqueue/command/pg_5Fdump/",
        "job/enqueue/task/tests.shop.tasks.no_5Ftask/",
        "job/enqueue/task/tests.shop.tasks.urgent/",
        "job/enqueue/task/tests.shop.tasks.hidden/",
        "job/enqueue/task/tests.tasks.samples.fail/",
        "job/enqueue/task/jobs.tasks.commands.manage/",
        "job/enqueue/task/os.system/",
        "job/enqueue/task/backup/",
    ],
)
def test_it_has_no_form_for_what_is_not_on_the_list(superuser: Client, path):
    assert get(superuser, path).status_code == 404
    assert post(superuser, path, filled(args="[]", task="os.system", command="true")).status_code == 404
    assert not Job.objects.exists()


# Commands


def test_it_says_what_a_command_will_do(superuser: Client):
    html = text_of(get(superuser, BACKUP))

    assert "Enqueue: Back up a table" in html
    assert "pg_dump --table={table} --file=/backup/{table}-{days}.dump" in html
    assert "A worker of queue backups runs this program as its own user, without a shell." in html
    assert "<dt>Queue</dt><dd>backups</dd>" in html
    assert "<dt>Timeout</dt><dd>10m</dd>" in html
    assert '<option value="orders">orders</option>' in html
    assert 'name="set_days" value="30"' in html


def test_it_enqueues_a_command_as_a_signed_job_without_a_shell(superuser: Client):
    response = post(superuser, BACKUP, backup(priority="5", max_retries="1"))

    assert response.headers["Location"] == f"/admin/jobs/job/{NEW_ID}/change/"
    assert markup_of(response) == [f'<a href="/admin/jobs/job/{NEW_ID}/change/">{NEW_ID}</a> is enqueued.']
    made = job()
    assert (made.pk, made.state, made.queue, made.priority) == (NEW_ID, State.PENDING, "backups", 5)
    assert (made.command, made.uses_shell) == ("pg_dump --table=users --file=/backup/users-7.dump", False)
    assert (made.max_retries, made.timeout_seconds) == (1, 600)
    assert made.signature


def test_it_logs_who_enqueued_which_command_with_which_values(superuser: Client):
    post(superuser, BACKUP, backup())

    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id, entry.action_flag) == ("root", NEW_ID, ADDITION)
    assert entry.change_message == "enqueued: named command backup with table=users, days=7"
    assert "named command backup" in text_of(get(superuser, f"job/{NEW_ID}/history/"))


def test_it_logs_no_value_whose_name_sounds_secret(superuser: Client, settings):
    parameter = {"api_key": {"pattern": "[a-z]+"}}
    settings.JOBS = {"COMMANDS": {"greet": {"command": ["echo", "{api_key}"], "parameters": parameter}}}

    post(superuser, GREET, filled(set_api_key="sesame"))

    assert LogEntry.objects.get().change_message == "enqueued: named command greet with api_key=********"


def test_it_lets_nobody_change_what_the_definition_settles(superuser: Client):
    settled = {"queue": "root", "timeout": "1h", "cwd": "/", "env": '{"LD_PRELOAD": "x"}'}

    post(superuser, BACKUP, backup(**settled, command="touch owned", task="os.system", args="[]", backoff_base="1"))

    made = job()
    assert (made.queue, made.timeout_seconds, made.cwd, made.env) == ("backups", 600, None, None)
    assert (made.command, made.task, made.backoff_base) == (
        "pg_dump --table=users --file=/backup/users-7.dump",
        None,
        None,
    )


@pytest.mark.parametrize("value", [text for text in EVERYTHING if text.isprintable() or text.isascii()])
def test_it_takes_nothing_for_a_parameter_but_what_the_definition_allows(superuser: Client, value):
    for name in ("set_table", "set_days"):
        response = post(superuser, BACKUP, backup(**{name: value}))
        assert response.status_code == 200
        assert 'role="alert"' in text_of(response)

    assert not Job.objects.exists()
    assert not LogEntry.objects.exists()


def test_it_refuses_an_option_in_the_words_of_the_command_line(superuser: Client):
    assert "name: must not begin with a dash" in text_of(post(superuser, GREET, filled(set_name="--version")))
    assert post(superuser, GREET, filled(set_name="; rm -rf $(pwd)")).status_code == 302

    assert job().command == "echo hello '; rm -rf $(pwd)'"


def test_it_keeps_what_was_filled_in_and_the_id_where_something_is_wrong(superuser: Client):
    html = text_of(post(superuser, BACKUP, backup(set_days="91", delay="10m")))

    assert "days: must be a whole number from 1 to 90" in html
    assert '<option value="users" selected>' in html
    assert 'name="delay" value="10m"' in html
    assert f'name="id" value="{NEW_ID}"' in html


# Tasks


def test_it_says_what_a_task_takes_and_what_holds_where_nothing_is_filled_in(superuser: Client):
    html = text_of(get(superuser, RECEIPT))

    assert "send_receipt(order_id: int, *, copy_to: str | None = None)" in html
    for name, usual in {"queue": "mail", "priority": "0", "max_retries": "5", "timeout": "30s"}.items():
        field = re.search(f'<input [^>]*name="{name}"[^>]*>', html)
        assert field is not None
        assert f'placeholder="{usual}"' in field[0]
        assert "value=" not in field[0]


def test_it_enqueues_a_task_with_what_it_has_itself(superuser: Client):
    response = post(superuser, RECEIPT, filled(args="[42]", kwargs='{"copy_to": "é"}'))

    assert markup_of(response) == [f'<a href="/admin/jobs/job/{NEW_ID}/change/">{NEW_ID}</a> is enqueued.']
    made = job()
    assert (made.task, made.args, made.kwargs) == ("tests.shop.tasks.send_receipt", [42], {"copy_to": "é"})
    assert (made.queue, made.priority, made.max_retries, made.timeout_seconds) == ("mail", 0, 5, 30)
    assert (made.backend, made.command, made.signature) == ("default", None, None)
    assert LogEntry.objects.get().change_message == "enqueued: task tests.shop.tasks.send_receipt"


def test_it_takes_other_settings_and_a_delay(superuser: Client):
    response = post(
        superuser, ADD, filled(args="[1]", queue="other", priority="-5", delay="1h", max_retries="0", timeout="1m30s")
    )

    made = job()
    assert (made.queue, made.priority, made.max_retries, made.timeout_seconds) == ("other", -5, 0, 90)
    assert made.state == State.SCHEDULED
    assert round((made.run_at - made.enqueued_at).total_seconds()) == 3_600
    assert " is scheduled for 20" in messages_of(response)[0]


def test_it_takes_a_time_to_start_at(superuser: Client):
    post(superuser, ADD, filled(args="[1]", run_at="2099-12-31 23:59"))

    assert job().run_at.isoformat() == "2099-12-31T23:59:00+00:00"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "do not fit add(a, b=0): missing a required argument"),
    ({"args": "[1, 2, 3]"}, "do not fit add(a, b=0): too many"),
    ({"kwargs": '{"a": 1, "c": 2}'}, "do not fit add(a, b=0): got an unexpected"),
    ({"args": "[1"}, "args: expecting"),
    ({"args": "{}"}, "args: must be a list"),
    ({"args": "1"}, "args: must be a list"),
    ({"args": "[NaN]"}, "args: NaN is not a number"),
    ({"args": "[" * 200_000}, "args: "),
    ({"args": "[" + "9" * 5_000 + "]"}, "args: the number"),
    ({"args": '["\\u0000"]'}, "args: must not contain a NUL character"),
    ({"args": f'["{"x" * 262_144}"]'}, "args: must have at most 262144 bytes"),
    ({"args": "[1]", "kwargs": "[]"}, "kwargs: must be an object"),
    ({"args": "[1]", "kwargs": '{"b": 1, "b": 2}'}, "the same name stands twice in one object"),
    ({"args": "[1]", "queue": "*"}, "queue: must not be *"),
    ({"args": "[1]", "queue": "a b"}, "queue: must be printable and without spaces"),
    ({"args": "[1]", "priority": "high"}, "priority: must be a whole number from -100 to 100"),
    ({"args": "[1]", "priority": "101"}, "priority: must be a whole number from -100 to 100"),
    ({"args": "[1]", "priority": "9" * 5_000}, "priority: must be a whole number from -100 to 100"),
    ({"args": "[1]", "delay": "soon"}, "delay: must be seconds or a duration"),
    ({"args": "[1]", "delay": "1h", "run_at": "2099-01-01"}, "delay: and run_at exclude each other"),
    ({"args": "[1]", "run_at": "tomorrow"}, "run_at: must be an ISO time"),
    ({"args": "[1]", "max_retries": "-1"}, "max_retries: must be from 0 to 1000"),
    ({"args": "[1]", "timeout": "soon"}, "timeout: must be a duration"),
]


@pytest.mark.parametrize(("fields", "words"), WRONG, ids=[words[:30] for _, words in WRONG])
def test_it_refuses_what_the_command_line_refuses_in_its_words_before_anything_is_stored(superuser, fields, words):
    response = post(superuser, ADD, filled(**fields))

    assert response.status_code == 200
    assert words in text_of(response).replace("&#x27;", "'")
    assert not Job.objects.exists()
    assert not LogEntry.objects.exists()


def test_it_takes_only_the_queues_that_the_backend_of_a_task_allows(superuser: Client, settings):
    settings.TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": ["default", "mail"]}}

    html = text_of(post(superuser, RECEIPT, filled(args="[1]", queue="root")))

    assert "queue: must be one of default, mail" in html
    assert post(superuser, RECEIPT, filled(args="[1]", queue="default")).status_code == 302


# Once


def test_each_look_at_a_form_makes_another_id(superuser: Client):
    first, second = id_on(superuser, BACKUP), id_on(superuser, BACKUP)

    assert first != second
    assert post(superuser, BACKUP, backup(id=first)).status_code == 302
    assert job().pk == first


@pytest.mark.parametrize(("path", "fields"), [(BACKUP, backup()), (RECEIPT, filled(args="[1]"))])
def test_it_enqueues_once_however_often_the_form_is_sent(superuser: Client, path, fields):
    post(superuser, path, fields)

    again = post(superuser, path, fields)

    assert again.headers["Location"] == f"/admin/jobs/job/{NEW_ID}/change/"
    assert "was enqueued by this form before; nothing was enqueued a second time." in messages_of(again)[-1]
    assert Job.objects.count() == LogEntry.objects.count() == 1


def test_it_leaves_the_job_of_a_form_as_it_is_when_another_sends_the_same_id(login: Login):
    post(login("view_job", "enqueue_job"), BACKUP, backup())

    post(login("view_job", "enqueue_job"), GREET, filled(set_name="ann"))

    assert job().command == "pg_dump --table=users --file=/backup/users-7.dump"


@pytest.mark.parametrize(
    "id_", ["", "job1", NEW_ID.upper().replace("0", "A"), f"{NEW_ID}\n", "-" * 36, NEW_ID.replace("-7", "-4")]
)
def test_it_takes_no_id_but_one_that_a_form_made(superuser: Client, id_):
    assert post(superuser, BACKUP, backup(id=id_)).status_code == 400
    assert not Job.objects.exists()


def test_it_stores_no_job_without_an_entry_in_the_log(superuser: Client, monkeypatch):
    def locked(**_):
        raise busy_error()

    monkeypatch.setattr(audit, "note_jobs", locked)

    response = post(superuser, BACKUP, backup())

    assert response.status_code == 200
    assert "he database is busy" in text_of(response)
    assert f'name="id" value="{NEW_ID}"' in text_of(response)
    assert not Job.objects.exists()


def test_it_can_be_sent_again_where_the_database_was_busy(superuser: Client, monkeypatch):
    def locked(*_, **__):
        raise busy_error()

    with monkeypatch.context() as patched:
        patched.setattr(queue, "enqueue", locked)
        assert "he database is busy" in text_of(post(superuser, BACKUP, backup()))

    assert post(superuser, BACKUP, backup()).status_code == 302
    assert job().pk == NEW_ID


# What a definition or a task says is shown, not obeyed.


def test_it_escapes_what_the_site_and_the_project_say(superuser: Client, settings):
    nasty = "</pre><script>alert(1)</script>"
    parameters = {"x": {"choices": [nasty], "label": nasty, "help": nasty, "default": nasty}}
    definition = {"command": ["echo", nasty, "{x}"], "label": nasty, "help": nasty, "parameters": parameters}
    settings.JOBS = {"COMMANDS": {"nasty": definition | {"env": {nasty: nasty}, "cwd": f"/{nasty}"}, nasty: {}}}

    for path in (LIST, "job/enqueue/command/nasty/"):
        assert "<script>alert" not in text_of(get(superuser, path))
    response = post(superuser, "job/enqueue/command/nasty/", filled(set_x=nasty))
    assert response.status_code == 302
    assert "<script>alert" not in text_of(get(superuser, f"job/{NEW_ID}/change/"))
    assert "<script>alert" not in text_of(get(superuser, f"job/{NEW_ID}/history/"))
