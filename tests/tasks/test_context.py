"""What a task that takes a context is told, and what it can say."""

import time

import pytest

from jobs.outcome import AttemptSummary
from jobs.states import Ending
from jobs.tasks import JobContext, api, results
from tests.clock import NOW
from tests.tasks import running, samples
from tests.tasks.running import claim_of


def _context(**fields) -> JobContext:
    result = results.of_claim(
        claim_of("tell"), samples.tell, attempt=AttemptSummary(worker_id="host1:1", started_at=NOW)
    )
    defaults = {"attempt_number": 1, "ends_at": None, "ask_stopped": lambda: False, "report": lambda *_: None}
    return JobContext(**{"task_result": result} | defaults | fields)


def test_it_is_a_context_of_django():
    assert isinstance(_context(), api.TaskContext)


def test_it_tells_the_number_of_the_attempt():
    past = AttemptSummary(worker_id="host1:9", started_at=NOW, outcome=Ending.FAILED)

    outcome = running.run(claim_of("tell", attempt=2, history=(past,)))

    assert outcome.return_value == "[2,2,false,null]"


def test_it_counts_anew_after_a_requeue_though_the_result_does_not():
    past = tuple(AttemptSummary(worker_id="host1:9", started_at=NOW, outcome=Ending.FAILED) for _ in range(4))

    outcome = running.run(claim_of("tell", attempt=1, history=past))

    assert outcome.return_value == "[1,5,false,null]"


def test_it_tells_how_much_time_is_left():
    assert _context().seconds_left is None
    assert _context(ends_at=time.monotonic() - 5).seconds_left == 0

    left = _context(ends_at=time.monotonic() + 60).seconds_left

    assert left is not None
    assert 0 < left <= 60


def test_a_task_knows_its_timeout():
    outcome = running.run(claim_of("tell", timeout_seconds=60.0))

    assert outcome.return_value is not None
    assert 0 < float(outcome.return_value.strip("[]").split(",")[-1]) <= 60


def test_it_tells_a_task_that_it_has_to_end():
    with running.recorded():
        outcome = running.run(claim_of("wait_until_asked", timeout_seconds=0.05))

    assert outcome.ending is Ending.TIMED_OUT
    assert outcome.output.head == "asked: True\n"


@pytest.mark.parametrize("share", [0, 1, 0.4, True])
def test_it_takes_progress_from_0_to_1(share: float):
    said: list[tuple[float, str | None]] = []

    _context(report=lambda *words: said.append(words)).progress(share, "so far")

    assert said == [(float(share), "so far")]


@pytest.mark.parametrize("share", [-0.001, 1.001, float("nan"), float("inf")])
def test_it_refuses_progress_out_of_bounds(share: float):
    with pytest.raises(ValueError, match="from 0 to 1"):
        _context().progress(share)


def test_it_takes_any_message_and_keeps_it_short():
    said: list[tuple[float, str | None]] = []
    context = _context(report=lambda *words: said.append(words))

    context.progress(0.1, 5)  # type: ignore[arg-type]
    context.progress(0.2, "x" * 1_000_000)
    context.progress(0.3)

    assert [message if message is None else message[:5] for _, message in said] == ["5", "xxxxx", None]
    assert len(said[1][1] or "") == 500


def test_the_last_progress_is_kept_with_the_attempt():
    outcome = running.run(claim_of("say", 0.75, "almost"))

    assert (outcome.output.progress, outcome.output.progress_message) == (0.75, "almost")
