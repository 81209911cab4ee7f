"""The result of a task, as whoever enqueued it sees it: before, between, during and after its attempts."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync

from jobs import clock, queue
from jobs.models import Attempt, Job
from jobs.outcome import Output
from jobs.states import Ending, State
from jobs.tasks import JobResult, api, signs
from tests.clock import NOW, after
from tests.factories import make_job, make_outcome, make_supervisor
from tests.tasks import running, samples

pytestmark = pytest.mark.django_db

READY, RUNNING, FAILED, SUCCESSFUL = "READY", "RUNNING", "FAILED", "SUCCESSFUL"


def _make_task_job(**fields) -> Job:
    return make_job(
        **{"kind": "task", "command": None, "task": "tests.tasks.samples.add", "backend": "default"} | fields
    )


# Which results there are.


def test_it_finds_the_result_by_its_id():
    result = samples.add.enqueue(1)

    assert samples.add.get_result(result.id) == result
    assert samples.add.get_backend().get_result(result.id) == result
    assert async_to_sync(samples.add.get_backend().aget_result)(result.id) == result


@pytest.mark.parametrize(
    "id_", ["nosuch", "", "\0", "x" * 65, "x" * 1_000_000, "two words", "é\ud800", None, 5, b"job1", object()]
)
def test_it_has_no_result_of_an_unknown_or_malformed_id(id_: str):
    with pytest.raises(api.TaskResultDoesNotExist):
        samples.add.get_result(id_)
    with pytest.raises(api.TaskResultDoesNotExist):
        async_to_sync(samples.add.aget_result)(id_)


def test_it_has_no_result_of_a_shell_job():
    make_job(id="shell")

    with pytest.raises(api.TaskResultDoesNotExist):
        samples.add.get_result("shell")


@pytest.mark.parametrize(
    "path", ["gone.tasks.send", "tests.tasks.gone", "tests.tasks.samples.not_a_task", "tests.tasks.broken_module.task"]
)
def test_it_has_no_result_of_a_task_that_cannot_be_imported(path: str):
    _make_task_job(id="job1", task=path)

    with pytest.raises(api.TaskResultDoesNotExist):
        samples.add.get_backend().get_result("job1")


def test_it_refuses_the_result_of_another_task():
    result = samples.add.enqueue(1)

    with pytest.raises(api.TaskResultMismatch):
        samples.fail.get_result(result.id)
    with pytest.raises(api.TaskResultMismatch):
        async_to_sync(samples.fail.aget_result)(result.id)


def test_it_finds_the_result_of_a_task_in_a_queue_that_is_no_longer_valid(settings):
    result = samples.add.using(queue_name="letters").enqueue(1)
    settings.TASKS = {"default": {"BACKEND": "jobs.backend.JobsBackend"}}

    assert samples.add.get_result(result.id).task.func is samples.add.func


def test_it_finds_the_result_of_a_task_whose_backend_is_no_longer_named(settings):
    backend = {"BACKEND": "jobs.backend.JobsBackend", "QUEUES": []}
    settings.TASKS = {"default": backend, "other": backend}
    result = samples.add.using(backend="other").enqueue(1)
    settings.TASKS = {"default": backend}

    found = samples.add.get_result(result.id)

    assert (found.backend, found.task.backend) == ("other", "default")


# What they say.


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State.SCHEDULED, READY),
        (State.PENDING, READY),
        (State.FAILED, READY),
        (State.PROCESSING, RUNNING),
        (State.COMPLETED, SUCCESSFUL),
        (State.DEAD, FAILED),
        (State.CANCELLED, FAILED),
    ],
)
def test_it_tells_every_state_in_the_words_of_django(state: State, status: str):
    _make_task_job(state=state)

    result = samples.add.get_result("job1")

    assert result.status == api.TaskResultStatus[status]
    assert result.is_finished == (status in (FAILED, SUCCESSFUL))


def test_it_has_the_return_value_of_a_task_that_completed():
    result = samples.add.enqueue([1], b=["é", None, 2.5, {"k": "v"}])

    running.attempt()

    result.refresh()
    assert (result.status, result.return_value) == (SUCCESSFUL, [1, "é", None, 2.5, {"k": "v"}])


def test_it_tells_a_return_value_of_none_from_no_return_value():
    result = samples.with_settings.enqueue()
    with pytest.raises(ValueError, match="not finished"):
        _ = result.return_value

    running.attempt()

    result.refresh()
    assert result.return_value is None
    assert result.status == SUCCESSFUL


def test_it_has_no_return_value_of_a_task_that_failed():
    result = samples.exit_with.enqueue(3)

    running.attempt()

    result.refresh()
    with pytest.raises(ValueError, match="failed"):
        _ = result.return_value


def test_it_tells_of_each_attempt():
    result = samples.fail.using(max_retries=2).enqueue("ни удачи")
    before = clock.now()

    for _ in range(3):
        running.attempt()

    result.refresh()
    assert result.status == FAILED
    assert result.attempts == len(result.worker_ids) == len(result.errors) == 3
    assert {error.exception_class for error in result.errors} == {ValueError}
    for error in result.errors:
        assert error.traceback.startswith("Traceback (most recent call last):")
        assert error.traceback.rstrip().endswith("ValueError: ни удачи")
        assert "raise ValueError(message)" in error.traceback
        assert "runners/task.py" not in error.traceback
    started = list(Attempt.objects.order_by("fence").values_list("started_at", flat=True))
    assert (result.started_at, result.last_attempted_at) == (started[0], started[-1])
    times = [result.enqueued_at, before, *started, result.finished_at]
    assert times == sorted(time for time in times if time is not None)


def test_it_keeps_the_errors_before_a_success():
    result = samples.fail.using(max_retries=5).enqueue()
    running.attempt()
    Job.objects.update(task="tests.tasks.samples.add", args=[1])

    running.attempt()

    found = samples.add.get_result(result.id)
    assert (found.status, found.attempts, len(found.errors), found.return_value) == (SUCCESSFUL, 2, 1, 1)


def test_it_is_ready_again_between_two_attempts():
    result = samples.fail.enqueue()

    running.attempt()

    result.refresh()
    assert (result.status, result.attempts, result.finished_at) == (READY, 1, None)
    assert [error.exception_class for error in result.errors] == [ValueError]
    assert result.last_attempted_at == result.started_at is not None


def test_it_tells_the_time_that_was_asked_for_and_not_that_of_the_retry():
    result = samples.fail.enqueue()

    running.attempt()

    assert samples.fail.get_result(result.id).task.run_after is None


def test_it_counts_a_running_attempt():
    result = samples.add.enqueue(1)
    taken = running.claim()
    result.refresh()
    assert (result.status, result.attempts, result.finished_at) == (RUNNING, 1, None)
    assert result.started_at is not None

    queue.note_running(
        taken, pid=77, started_at=NOW, output=Output(progress=0.5, progress_message="half"), host="host1"
    )

    assert isinstance(result, JobResult)
    result.refresh()
    assert (result.status, result.worker_ids, result.errors) == (RUNNING, ["host1:77"], [])
    assert (result.started_at, result.last_attempted_at) == (NOW, NOW)
    assert (result.progress, result.progress_message) == (0.5, "half")
    with pytest.raises(ValueError, match="not finished"):
        _ = result.return_value


def test_it_refreshes_from_coroutines():
    result = samples.add.enqueue(1)
    running.attempt()

    async_to_sync(result.arefresh)()

    assert (result.status, result.return_value) == (SUCCESSFUL, 1)


@pytest.mark.parametrize(
    ("ending", "sign"),
    [
        (Ending.LOST, signs.Lost),
        (Ending.TIMED_OUT, signs.TimedOut),
        (Ending.CANCELLED, signs.Cancelled),
        (Ending.FAILED, Exception),
    ],
)
def test_it_names_an_error_that_nobody_saw(ending: Ending, sign: type[BaseException]):
    result = samples.add.enqueue(1)

    running.record(running.claim(), make_outcome(ending=ending, error="its worker died"))

    result.refresh()
    (error,) = result.errors
    assert (error.exception_class, error.traceback) == (sign, "its worker died")


def test_it_does_not_count_a_release_as_an_error():
    result = samples.add.enqueue(1)

    running.record(running.claim(), make_outcome(ending=Ending.RELEASED, error=None))

    result.refresh()
    assert (result.status, result.errors, result.attempts) == (READY, [], 1)


def test_it_remembers_the_attempts_before_a_requeue():
    result = samples.never_retry.enqueue()
    running.attempt()
    queue.requeue([result.id], now=clock.now())

    running.attempt()

    result.refresh()
    assert (result.status, result.attempts, len(result.errors)) == (FAILED, 2, 2)


def test_it_shows_an_error_whose_class_is_gone():
    result = samples.add.enqueue(1)
    outcome = make_outcome(ending=Ending.FAILED, exception_class="gone.Error", traceback="Traceback …")

    running.record(running.claim(), outcome)

    result.refresh()
    (error,) = result.errors
    assert (error.exception_class_path, error.traceback) == ("gone.Error", "Traceback …")
    with pytest.raises(ImportError):
        _ = error.exception_class


def test_it_has_times_that_are_aware_and_exact():
    result = samples.add.enqueue(1)
    outcome = make_outcome(started_at=after(seconds=1.000001), finished_at=after(seconds=2.000002))

    running.record(running.claim(), outcome)

    result.refresh()
    assert result.started_at == after(seconds=1.000001)
    assert result.finished_at == after(seconds=2.000002)
    assert result.finished_at is not None
    assert result.finished_at.utcoffset() == timedelta(0)


def test_it_knows_the_worker_of_an_attempt_that_nobody_saw():
    supervisor = make_supervisor(host="host2", pid=5)
    _make_task_job(state=State.PROCESSING, supervisor=supervisor, claimed_at=NOW)

    result = samples.add.get_result("job1")

    assert (result.worker_ids, result.started_at) == (["host2:5"], NOW)
