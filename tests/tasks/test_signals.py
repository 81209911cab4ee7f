"""The three signals: when they are sent, by whom, with what; and that a receiver cannot change what happens."""

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from jobs import queue
from jobs.backend import JobsBackend
from jobs.models import Job
from jobs.states import State
from jobs.tasks import api
from tests.clock import NOW
from tests.tasks import running, samples

pytestmark = pytest.mark.django_db

PACKAGE = api.Task.__module__.removesuffix(".base")  # Django's, or its backport
SIGNALS = {"enqueued": api.task_enqueued, "started": api.task_started, "finished": api.task_finished}


class Heard:
    """What was heard of one signal after the other."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.senders: list[object] = []
        self.statuses: list[str] = []
        self.results: list[Any] = []
        self.errors: list[type[BaseException] | None] = []

    def receiver(self, name: str) -> Any:
        def receive(sender: object, task_result: Any, **_: object) -> None:
            self.names.append(name)
            self.senders.append(sender)
            self.statuses.append(str(task_result.status))
            self.results.append(task_result)
            self.errors.append(sys.exc_info()[0])

        return receive


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard = Heard()
    receivers = {name: heard.receiver(name) for name in SIGNALS}
    for name, receiver in receivers.items():
        SIGNALS[name].connect(receiver)
    yield heard
    for name, receiver in receivers.items():
        SIGNALS[name].disconnect(receiver)


def test_it_tells_of_a_task_that_completes(heard: Heard):
    result = samples.add.enqueue(1)
    assert heard.names == ["enqueued"]

    running.attempt()

    assert heard.names == ["enqueued", "started", "finished"]
    assert heard.senders == [JobsBackend] * 3
    assert heard.statuses == ["READY", "RUNNING", "SUCCESSFUL"]
    assert {told.id for told in heard.results} == {result.id}
    assert heard.results[-1].return_value == 1
    assert heard.errors == [None] * 3


def test_it_tells_all_that_the_result_has_at_its_end(heard: Heard):
    result = samples.fail.using(max_retries=1).enqueue()

    running.attempt()
    running.attempt()

    result.refresh()
    told = heard.results[-1]
    assert (told.status, told.attempts, told.return_value if told.status != "FAILED" else None) == ("FAILED", 2, None)
    assert told.errors == result.errors
    assert told.finished_at == result.finished_at
    assert (told.enqueued_at, told.args, told.kwargs) == (result.enqueued_at, result.args, result.kwargs)


def test_it_tells_of_a_start_with_each_attempt_and_of_the_end_only_when_it_is_final(heard: Heard):
    samples.fail.using(max_retries=1).enqueue()

    running.attempt()
    assert heard.names == ["enqueued", "started"]
    running.attempt()

    assert heard.names == ["enqueued", "started", "started", "finished"]
    assert heard.statuses[-1] == "FAILED"


def test_it_tells_of_a_failure_while_it_is_being_handled(heard: Heard):
    samples.fail.using(max_retries=0).enqueue()

    running.attempt()

    assert heard.errors == [None, None, ValueError]


@pytest.mark.parametrize(
    ("name", "status"), [("never_retry", "FAILED"), ("cancel_itself", "FAILED"), ("interrupt", "FAILED")]
)
def test_it_tells_of_every_final_end(heard: Heard, name: str, status: str):
    getattr(samples, name).using(max_retries=0).enqueue()

    running.attempt()

    assert heard.names == ["enqueued", "started", "finished"]
    assert heard.statuses[-1] == status
    assert Job.objects.get().state in (State.DEAD, State.CANCELLED)


def test_it_does_not_call_the_end_what_will_be_run_again(heard: Heard):
    samples.run_later.using(max_retries=0).enqueue(5)

    running.attempt()

    assert heard.names == ["enqueued", "started"]
    assert Job.objects.get().state == State.FAILED


def test_it_goes_by_the_settings_of_the_queue_for_what_is_final(heard: Heard):
    queue.set_knob("max_retries", 0, now=NOW, by="tests")
    samples.fail.enqueue()

    running.attempt()

    assert heard.names == ["enqueued", "started", "finished"]
    assert Job.objects.get().state == State.DEAD


@pytest.mark.parametrize("name", SIGNALS)
def test_it_goes_on_when_a_receiver_raises(name: str, caplog):
    signal: Signal = SIGNALS[name]

    def raise_error(**_: object) -> None:
        raise RuntimeError("a defect of a receiver")

    signal.connect(raise_error)
    try:
        samples.add.enqueue(1)
        outcome = running.attempt()
    finally:
        signal.disconnect(raise_error)

    assert (outcome.error, Job.objects.get().state) == (None, State.COMPLETED)
    assert "a defect of a receiver" in caplog.text


@pytest.mark.parametrize("name", ["started", "finished"])
@pytest.mark.parametrize("task", ["add", "fail"])
def test_it_goes_on_when_a_receiver_exits(name: str, task: str, caplog):
    def leave(**_: object) -> None:
        sys.exit("a receiver has had enough")

    getattr(samples, task).using(max_retries=0).enqueue("x", **({"b": "y"} if task == "add" else {}))
    SIGNALS[name].connect(leave)
    try:
        running.attempt()
    finally:
        SIGNALS[name].disconnect(leave)

    job = Job.objects.get()
    assert (job.state, job.error) == ((State.COMPLETED, None) if task == "add" else (State.DEAD, "ValueError: x"))
    assert "a receiver has had enough" in caplog.text


def test_it_tells_of_each_of_many_when_all_are_stored(heard: Heard):
    results = samples.add.enqueue_many([[1], [2], [3]])

    assert heard.names == ["enqueued"] * 3
    assert heard.results == results


def test_it_names_the_backend_that_the_task_was_enqueued_with(heard: Heard, settings):
    settings.TASKS = {
        "default": {"BACKEND": f"{PACKAGE}.backends.dummy.DummyBackend", "QUEUES": []},
        "queue": {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": []},
    }
    samples.add.using(backend="queue").enqueue(1)

    running.attempt()

    assert heard.senders == [JobsBackend] * 3
    assert {told.task.backend for told in heard.results} == {told.backend for told in heard.results} == {"queue"}


def test_django_writes_its_own_lines(caplog):
    caplog.set_level(logging.DEBUG, logger=PACKAGE)
    result = samples.add.enqueue(1)
    running.attempt()

    lines = [record.getMessage() for record in caplog.records if record.name == PACKAGE]
    assert len([line for line in lines if result.id in line]) == 3
