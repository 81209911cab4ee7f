"""Several aliases in TASKS that keep their tasks here; and an instance for every thread."""

import threading

import pytest

from jobs.backend import JobsBackend
from jobs.models import Job
from jobs.states import State
from jobs.tasks import api, task
from tests.tasks import running, samples

BACKEND = "jobs.backend.JobsBackend"


@pytest.fixture
def aliases(settings):
    settings.TASKS = {
        "default": {"BACKEND": BACKEND, "QUEUES": []},
        "letters": {"BACKEND": BACKEND, "QUEUES": ["letters"], "OPTIONS": {"max_retries": 9}},
    }


@pytest.mark.django_db
def test_it_runs_the_tasks_of_every_alias(aliases):
    first, second = samples.add.enqueue(1), samples.add.using(backend="letters", queue_name="letters").enqueue(2)
    Job.objects.filter(pk=first.id).update(state=State.CANCELLED, finished_at=first.enqueued_at)

    running.attempt()

    second.refresh()
    assert (second.status, second.backend, second.return_value) == ("SUCCESSFUL", "letters", 2)


@pytest.mark.django_db
def test_it_remembers_the_alias_in_the_result(aliases):
    result = samples.add.using(backend="letters", queue_name="letters").enqueue(2)

    found = samples.add.get_backend().get_result(result.id)

    assert (found.backend, found.task.backend, found.task.queue_name) == ("letters", "letters", "letters")
    assert found == result


def test_each_alias_has_queues_of_its_own(aliases):
    with pytest.raises(api.InvalidTask, match="'default' is not valid"):
        samples.add.using(backend="letters")
    assert samples.add.using(queue_name="letters").backend == "default"


@pytest.mark.django_db
def test_each_alias_has_options_of_its_own(aliases):
    samples.add.using(backend="letters", queue_name="letters").enqueue(2)
    assert Job.objects.get().max_retries == 9

    samples.add.enqueue(1)
    assert Job.objects.get(queue="default").max_retries is None


def test_each_thread_has_an_instance_of_its_own():
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(samples.add.get_backend()))
    thread.start()
    thread.join()

    assert isinstance(found[0], JobsBackend)
    assert found[0] is not samples.add.get_backend()


def module_level() -> None:
    pass


def test_the_decorator_takes_an_alias(aliases):
    assert task(backend="letters", queue_name="letters")(module_level).backend == "letters"
