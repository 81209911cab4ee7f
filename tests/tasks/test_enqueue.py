"""Enqueueing a task: what is stored, what is refused before anything is."""

import datetime as dt

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from jobs.models import Job
from jobs.states import Kind, State
from jobs.tasks import api
from tests.tasks import running, samples

pytestmark = pytest.mark.django_db


def test_it_stores_a_job_of_the_task():
    result = samples.add.enqueue(1, b=2)

    job = Job.objects.get(pk=result.id)
    assert (job.kind, job.state, job.task) == (Kind.TASK, State.PENDING, "tests.tasks.samples.add")
    assert (job.queue, job.priority, job.args, job.kwargs) == ("default", 0, [1], {"b": 2})
    assert job.backend == "default"


def test_it_returns_a_result_that_is_ready():
    result = samples.add.enqueue(1, b=2)

    assert (result.status, result.is_finished, result.attempts) == (api.TaskResultStatus.READY, False, 0)
    assert (result.task, result.args, result.kwargs) == (samples.add, [1], {"b": 2})
    assert (result.started_at, result.last_attempted_at, result.finished_at) == (None, None, None)
    assert (result.errors, result.worker_ids, result.backend) == ([], [], "default")
    assert result.enqueued_at is not None


def test_it_gives_every_result_an_id_of_its_own_of_at_most_64_characters():
    ids = {samples.add.enqueue(1).id for _ in range(20)}

    assert len(ids) == 20
    assert all(0 < len(id_) <= 64 for id_ in ids)


def test_it_enqueues_from_coroutines():
    result = async_to_sync(samples.add.aenqueue)(1, b=2)

    assert Job.objects.get().pk == result.id
    assert async_to_sync(samples.add.aget_result)(result.id) == result


def test_it_defers_a_task_until_its_time():
    moment = dt.datetime(2100, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)

    result = samples.add.using(run_after=moment).enqueue(1)

    job = Job.objects.get()
    assert (job.state, job.run_at) == (State.SCHEDULED, moment)
    assert result.status == api.TaskResultStatus.READY
    assert samples.add.get_result(result.id).task.run_after == moment


def test_it_takes_a_time_of_any_zone():
    zone = dt.timezone(dt.timedelta(hours=5, minutes=30))
    moment = dt.datetime(2100, 1, 1, tzinfo=zone)

    samples.add.using(run_after=moment).enqueue(1)

    assert Job.objects.get().run_at == moment


def test_it_runs_a_task_at_once_whose_time_has_passed():
    samples.add.using(run_after=dt.datetime(2000, 1, 1, tzinfo=dt.UTC)).enqueue(1)

    assert Job.objects.get().state == State.PENDING


def test_it_stores_queue_and_priority():
    result = samples.add.using(queue_name="letters", priority=-100).enqueue(1)

    job = Job.objects.get()
    assert (job.queue, job.priority) == ("letters", -100)
    assert samples.add.get_result(result.id).task == samples.add.using(queue_name="letters", priority=-100)


def test_it_takes_what_becomes_json():
    result = samples.add.enqueue((1, b"text", {"key": [None, True, 1.5]}), b={"ключ": "é\u2028😀"})

    assert result.args == [[1, "text", {"key": [None, True, 1.5]}]]
    assert result.kwargs == {"b": {"ключ": "é\u2028😀"}}
    assert samples.add.get_result(result.id) == result


def _nested(depth):
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


def test_it_keeps_what_is_nested_deeply_the_same_on_every_database():
    result = samples.add.enqueue(_nested(100), b=[])

    running.attempt()

    result.refresh()
    assert (result.args, result.return_value) == ([_nested(100)], _nested(100))


def _self_containing():
    circle: list[object] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        {(1, 2): 3},
        float("nan"),
        float("inf"),
        b"\xff",
        "\0",
        "\ud800",
        "x" * 300_000,
        10**5_000,
        _self_containing(),
    ],
    ids=[
        "object",
        "set",
        "time",
        "tuple as key",
        "nan",
        "inf",
        "bytes",
        "NUL",
        "surrogate",
        "large",
        "digits",
        "circle",
    ],
)
@pytest.mark.parametrize("place", ["args", "kwargs"])
def test_it_refuses_arguments_that_are_not_json_and_stores_nothing(value: object, place: str):
    with pytest.raises((TypeError, ValueError)):
        samples.add.enqueue(*([value] if place == "args" else ()), **({"b": value} if place == "kwargs" else {}))

    assert not Job.objects.exists()


def test_it_follows_the_transaction_around_it():
    with transaction.atomic():
        result = samples.add.enqueue(1)
        transaction.set_rollback(True)

    assert not Job.objects.exists()
    with pytest.raises(api.TaskResultDoesNotExist):
        samples.add.get_result(result.id)


def test_it_runs_coroutine_functions():
    samples.add_async.enqueue(1, b=2)

    running.attempt()

    assert Job.objects.get().return_value == 3


def test_it_enqueues_from_a_task():
    samples.enqueue_another.enqueue(1)

    running.attempt()

    assert sorted(Job.objects.values_list("state", flat=True)) == [State.COMPLETED, State.PENDING]
