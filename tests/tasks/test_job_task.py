"""What a task of this queue has beyond Django's: settings of its own, and many jobs at once."""

import pytest

from jobs.backend import JobsBackend
from jobs.models import Job
from jobs.tasks import JobTask, api, task
from tests.tasks import samples


def plain(a: object = None) -> None:
    pass


# Settings.


def test_the_decorator_takes_them():
    made = samples.with_settings

    assert isinstance(made, JobTask)
    assert (made.max_retries, made.backoff_base, made.backoff_max, made.timeout) == (5, 3, 600, 30)
    assert (made.queue_name, made.priority) == ("letters", 7)


def test_the_decorator_needs_no_parentheses():
    made = task(plain)

    assert (made.func, made.max_retries, made.retry) == (plain, None, None)


def test_the_decorator_takes_no_time():
    with pytest.raises(TypeError, match="run_after"):
        task(run_after=None)


@pytest.mark.django_db
def test_they_are_stored_with_the_job():
    samples.with_settings.enqueue()

    job = Job.objects.get()
    assert (job.max_retries, job.backoff_base, job.backoff_max_seconds, job.timeout_seconds) == (5, 3, 600, 30)


@pytest.mark.django_db
def test_they_are_left_to_the_queue_where_a_task_has_none():
    samples.add.enqueue(1)

    job = Job.objects.get()
    assert (job.max_retries, job.backoff_base, job.backoff_max_seconds, job.timeout_seconds) == (None,) * 4


@pytest.mark.django_db
def test_the_options_of_the_backend_stand_in(settings):
    options = {"max_retries": 8, "backoff_base": 4, "backoff_max": "10m", "timeout": 60}
    settings.TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": [], "OPTIONS": options}}

    samples.add.using(max_retries=0, timeout=0).enqueue(1)

    job = Job.objects.get()
    assert (job.max_retries, job.backoff_base, job.backoff_max_seconds, job.timeout_seconds) == (0, 4, 600, 0)


# Modified copies.


def test_a_copy_differs_in_what_was_asked_for():
    copy = samples.with_settings.using(max_retries=1, timeout=5, priority=3)

    assert (copy.max_retries, copy.timeout, copy.priority) == (1, 5, 3)
    assert (copy.backoff_base, copy.queue_name, copy.func) == (3, "letters", samples.with_settings.func)
    assert samples.with_settings.max_retries == 5


def test_a_copy_keeps_what_is_none():
    assert samples.with_settings.using(max_retries=None, queue_name=None) == samples.with_settings


@pytest.mark.parametrize("name", ["func", "takes_context", "retry", "max_attempts", "name"])
def test_a_copy_refuses_what_cannot_be_changed(name: str):
    with pytest.raises(TypeError, match=name):
        samples.add.using(**{name: None})


def test_a_copy_is_checked_as_well():
    with pytest.raises(api.InvalidTask, match="max_retries"):
        samples.add.using(max_retries=-1)


# Many at once.


@pytest.mark.django_db
def test_it_enqueues_one_job_for_each_element_in_order():
    results = samples.add.enqueue_many([[1], (2, 3), {"a": 4, "b": 5}, []])

    jobs = [Job.objects.get(pk=result.id) for result in results]
    assert [(job.args, job.kwargs) for job in jobs] == [([1], {}), ([2, 3], {}), ([], {"a": 4, "b": 5}), ([], {})]
    assert jobs == list(Job.objects.order_by("run_at"))
    assert {result.status for result in results} == {"READY"}
    assert [samples.add.get_result(result.id) for result in results] == results


@pytest.mark.django_db
def test_it_takes_an_iterator():
    assert len(samples.add.enqueue_many([number] for number in range(50))) == Job.objects.count() == 50


@pytest.mark.django_db
def test_it_enqueues_nothing_for_nothing():
    assert samples.add.enqueue_many([]) == []
    assert not Job.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [[object()], {"a": float("nan")}, "text", 5, None, {"a"}])
def test_it_stores_all_or_none(wrong: object):
    with pytest.raises((TypeError, ValueError)):
        samples.add.enqueue_many([[1], wrong, [3]])  # type: ignore[list-item]

    assert not Job.objects.exists()


@pytest.mark.django_db
def test_the_backend_takes_different_tasks_at_once():
    backend = samples.add.get_backend()
    assert isinstance(backend, JobsBackend)

    first, second = backend.enqueue_many([(samples.add, [1], {}), (samples.with_settings, [], {})])

    assert (first.task, second.task) == (samples.add, samples.with_settings)
    assert sorted(Job.objects.values_list("queue", flat=True)) == ["default", "letters"]
