"""The tasks that can be found without being named."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from django.apps import apps
from django.utils.module_loading import module_has_submodule

from jobs.tasks import api, commands, known
from tests.shop import tasks as shop
from tests.tasks import samples

RECEIPT = "tests.shop.tasks.send_receipt"
IMMEDIATE = f"{api.Task.__module__.removesuffix('.base')}.backends.immediate.ImmediateBackend"


@pytest.fixture
def app_with(monkeypatch):
    """Return a function that lets a module stand in for the tasks of the only installed app."""

    def install(**names) -> None:
        module = ModuleType("stall.tasks")
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, "stall.tasks", module)
        monkeypatch.setattr(known, "module_has_submodule", lambda *_: True)
        monkeypatch.setattr(apps, "get_app_configs", lambda: [SimpleNamespace(name="stall", module=module)])

    return install


def test_it_finds_the_tasks_of_installed_apps_and_those_they_import_by_the_paths_that_workers_use():
    assert known.known().tasks == {RECEIPT: shop.send_receipt, "tests.tasks.samples.add": samples.add}
    assert known.known().problems == []


def test_it_never_offers_the_task_that_runs_any_management_command(app_with):
    app_with(manage=commands.manage, tasks=commands, add=samples.add)

    assert list(known.known().tasks) == ["tests.tasks.samples.add"]


def test_it_finds_no_function_class_or_task_that_is_not_kept_here(app_with, settings):
    settings.TASKS = {
        "default": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": []},
        "elsewhere": {"BACKEND": IMMEDIATE, "QUEUES": []},
    }
    other = shop.send_receipt.using(backend="elsewhere")

    app_with(other=other, function=shop.no_task, number=5, path=RECEIPT)

    assert known.known().tasks == {}


def test_it_finds_no_task_that_a_worker_could_not(app_with):
    app_with(hidden=shop.hidden)  # at its path there is the plain function

    assert known.known().tasks == {}


def test_it_says_which_module_cannot_be_imported_and_goes_on(monkeypatch):
    broken = SimpleNamespace(name="tests.tasks.broken_app", module=sys.modules["tests.tasks"])
    configs = [*apps.get_app_configs()]
    monkeypatch.setattr(apps, "get_app_configs", lambda: [broken, *configs])
    monkeypatch.setattr(
        known, "module_has_submodule", lambda *asked: asked[0] is broken.module or module_has_submodule(*asked)
    )

    found = known.known()

    (problem,) = found.problems
    assert problem.startswith("tests.tasks.broken_app.tasks: cannot be imported: ModuleNotFoundError")
    assert RECEIPT in found.tasks


def test_it_writes_what_a_task_takes_without_the_context():
    assert known.signature(shop.send_receipt) == "send_receipt(order_id: int, *, copy_to: str | None = None)"
    assert known.signature(samples.add) == "add(a, b=0)"
    assert known.signature(samples.tell) == "tell()"


def test_it_hides_defaults_that_may_be_secret():
    assert known.signature(samples.sync) == "sync(order, api_key=…, token=None, url='redis://:********@host')"


def test_it_tells_the_first_line_of_what_a_task_says_of_itself():
    assert known.summary(shop.send_receipt) == "Mail the receipt of an order."
    assert known.summary(samples.add) == ""
