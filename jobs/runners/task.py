"""Runs one task: a function decorated with `@task`, in the thread of the worker that was handed it.

Called by the worker, through `registry`. Whatever a task raises, returns or leaves behind ends its attempt, and not
the worker.
"""

import asyncio
import functools
import inspect
import json
import logging
import os
import socket
import traceback
from typing import Any

from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured

from jobs import retry, signing, visible
from jobs.outcome import Advice, AttemptSummary, Claim, Outcome, storable
from jobs.runners import Stop, Watch, recording
from jobs.runners.alarm import Alarm
from jobs.runners.beats import Beats
from jobs.runners.interrupt import Interrupter
from jobs.runners.timing import Clock
from jobs.states import FINAL, Ending
from jobs.tasks import (
    CancelJob,
    Cancelled,
    JobContext,
    NeverRetry,
    Released,
    RunLater,
    Stopped,
    TimedOut,
    api,
    loading,
    results,
)

logger = logging.getLogger(__name__)

RETURN_VALUE_MAX_BYTES = 1_048_576  # it is kept with the job; more belongs in a file or a table
ERROR_MAX_CHARACTERS = 500  # it is shown in lists; the traceback has the rest
TRACEBACK_MAX_CHARACTERS = 65_536  # a deep recursion fits; an exception may have a text of any length
CLASS_MAX_CHARACTERS = 255  # as wide as its column
DELAY_MAX_SECONDS = 365 * 86_400.0

SIGNS: dict[Ending, type[Stopped]] = {
    Ending.TIMED_OUT: TimedOut,
    Ending.CANCELLED: Cancelled,
    Ending.RELEASED: Released,
}
ENDINGS = {sign: ending for ending, sign in SIGNS.items()}

_alarm = Alarm()
_beats = Beats(_alarm)
_is_coroutine_function = functools.cache(inspect.iscoroutinefunction)  # asked of the same few functions all the time


def run(claim: Claim, *, stop: Stop, watch: Watch, grace_seconds: float) -> Outcome:  # noqa: ARG001
    """Run the task of a claim. It is asked to end by an exception; one that does not obey is ended with its worker."""
    clock = Clock()
    if stop.ending is not None:
        return clock.outcome(ending=stop.ending)
    return _Attempt(claim, clock, stop, watch).run()


class _Attempt:
    """One run of a task, in named steps."""

    def __init__(self, claim: Claim, clock: Clock, stop: Stop, watch: Watch) -> None:
        self._claim = claim
        self._clock = clock
        self._stop = stop
        self._watch = watch
        self._recorder = recording.Recorder()
        self._interrupter = Interrupter()
        self._result: results.JobResult | None = None  # None: its task could not be loaded
        self._sender: type[api.BaseTaskBackend] | None = None  # of signals

    def run(self) -> Outcome:
        try:
            self._begin()
            return self._completed(self._observed_call())
        except BaseException as error:  # noqa: BLE001 - a SystemExit ends the attempt, not the worker
            return self._failed(error)

    def _begin(self) -> None:
        task = _as_enqueued(_genuine(loading.load(self._claim.task or ""), self._claim), self._claim)
        attempt = AttemptSummary(worker_id=_worker_id(), started_at=self._clock.started_at)
        self._result = results.of_claim(self._claim, task, attempt=attempt)
        self._sender = type(task.get_backend())
        self._send(api.task_started)

    def _call(self) -> Any:
        """Call the function, interruptible until it has returned."""
        assert self._result is not None
        task, arguments = self._result.task, self._result.args
        if task.takes_context:
            arguments = [self._context(self._result), *arguments]
        try:
            if _is_coroutine_function(task.func):
                return async_to_sync(self._await)(task, arguments)
            self._interrupter.open()
            return task.call(*arguments, **self._result.kwargs)
        finally:
            self._interrupter.close()

    async def _await(self, task: api.AnyTask, arguments: list[Any]) -> Any:
        assert self._result is not None
        coroutine = asyncio.current_task()
        assert coroutine is not None
        self._interrupter.attach(coroutine)
        try:
            return await task.acall(*arguments, **self._result.kwargs)
        except asyncio.CancelledError:
            if self._interrupter.sign is None:
                raise
            raise self._interrupter.sign from None
        finally:
            self._interrupter.close()  # while its loop is open: a closed one cannot be told of a cancellation

    def _context(self, result: results.JobResult) -> JobContext:
        return JobContext(
            task_result=result,
            attempt_number=self._claim.attempt,
            ends_at=None if self._claim.timeout_seconds is None else self._clock.deadline(self._claim.timeout_seconds),
            ask_stopped=lambda: self._interrupter.sign is not None,
            report=self._recorder.note_progress,
        )

    # What happens beside it.

    def _observed_call(self) -> Any:
        """Record what it prints, show it from time to time, and have it interrupted when it must end."""
        timeout = None
        if self._claim.timeout_seconds is not None:
            deadline = self._clock.deadline(self._claim.timeout_seconds)
            timeout = _alarm.call_at(deadline, lambda: self._interrupter.interrupt(TimedOut))
        self._stop.tell(lambda ending: self._interrupter.interrupt(SIGNS[ending]))
        _beats.start(self._beat)
        try:
            with recording.into(self._recorder):
                return self._call()
        finally:
            _beats.stop(self._beat)
            self._stop.tell(None)
            if timeout is not None:
                _alarm.cancel(timeout)

    def _beat(self) -> None:
        """Show what is new."""
        if (output := self._recorder.news()) is not None:
            self._watch(os.getpid(), output)

    # How it ended.

    def _completed(self, value: Any) -> Outcome:
        assert self._result is not None
        normal = api.normalize_json(value)
        text = None if normal is None else json.dumps(normal, allow_nan=False, separators=(",", ":"))
        if text is not None and len(text) > RETURN_VALUE_MAX_BYTES:
            raise ValueError(f"the return value is larger than {RETURN_VALUE_MAX_BYTES} bytes as JSON")
        outcome = self._outcome(ending=Ending.COMPLETED, return_value=text)
        results.set_return_value(self._result, normal)
        results.end(self._result, status=api.TaskResultStatus.SUCCESSFUL, finished_at=outcome.finished_at)
        self._send(api.task_finished)
        return outcome

    def _failed(self, error: BaseException) -> Outcome:
        """Say what was raised. Called where it is being handled, so that receivers find it in `sys.exc_info()`."""
        outcome = self._outcome(
            **self._verdict(error),
            exception_class=_class_path(error),
            traceback=_traceback(error, None if self._result is None else self._result.task),
        )
        if self._result is not None:
            self._tell_failure(outcome)
        return outcome

    def _verdict(self, error: BaseException) -> dict[str, Any]:
        """Return how the attempt ended, and what that means for the next one."""
        sign = self._interrupter.sign
        if sign is not None:
            return {"ending": ENDINGS[sign], "error": self._reason(sign)}
        line = _one_line(error)
        match error:
            case CancelJob():
                return {"ending": Ending.CANCELLED, "error": line}
            case NeverRetry():
                return {"ending": Ending.FAILED, "error": line, "advice": Advice.NEVER}
            case RunLater():
                wait = {"advice": Advice.LATER, "delay_seconds": _delay(error.seconds)}
                return {"ending": Ending.FAILED, "error": line, **wait}
        return {"ending": Ending.FAILED, "error": line, **self._policy(error)}

    def _reason(self, sign: type[Stopped]) -> str | None:
        return f"timed out after {self._claim.timeout_seconds:g} s" if sign is TimedOut else None

    def _policy(self, error: BaseException) -> dict[str, Any]:
        """Ask the task's own policy, if it has one. One that fails is as none."""
        policy = getattr(self._result and self._result.task, "retry", None)
        if policy is None:
            return {}
        try:
            answer = policy(error, self._claim.attempt)
            return {"advice": Advice.NEVER} if answer is False else {"delay_seconds": _delay(answer)}
        except BaseException:  # a SystemExit ends the attempt, not the worker
            logger.exception("the retry policy of %s failed", self._claim.task)
            return {}

    def _tell_failure(self, outcome: Outcome) -> None:
        """Complete the result; tell receivers if this was the last attempt, by the settings it was claimed under."""
        assert self._result is not None
        policy = retry.Policy(
            max_retries=self._claim.queue_max_retries, backoff_base=0, backoff_max_seconds=0, jitter=0
        )
        decision = retry.decide(claim=self._claim, outcome=outcome, policy=policy, chance=0)
        attempt = AttemptSummary(
            worker_id=_worker_id(),
            started_at=outcome.started_at,
            outcome=outcome.ending,
            exception_class=outcome.exception_class,
            error=outcome.traceback,
        )
        if outcome.ending is not Ending.RELEASED:
            self._result.errors.append(results.error(attempt))
        if decision.state in FINAL:
            results.end(self._result, status=api.TaskResultStatus.FAILED, finished_at=outcome.finished_at)
            self._send(api.task_finished)

    def _outcome(self, **fields: Any) -> Outcome:
        return self._clock.outcome(pid=os.getpid(), output=self._recorder.output(), **fields)

    def _send(self, signal: Any) -> None:
        """Tell receivers. One that raises is logged by Django; it changes nothing about the job."""
        try:
            signal.send_robust(sender=self._sender, task_result=self._result)
        except BaseException:  # send_robust lets a SystemExit pass, which would end the thread, and no job with it
            logger.exception("a receiver of a signal failed id=%s", self._claim.id)


def _genuine(task: api.AnyTask, claim: Claim) -> api.AnyTask:
    """Return a task that may run: one whose arguments are code only if the queue signed them, by whatever path."""
    if task.module_path in signing.SIGNED_TASKS and not signing.is_genuine_task(claim):
        raise NeverRetry(signing.MISMATCH)
    return task


def _as_enqueued(task: api.AnyTask, claim: Claim) -> api.AnyTask:
    """Return the task with the queue and the backend that it was enqueued with; as it is, if those are gone."""
    if (task.queue_name, task.backend) == (claim.queue, claim.backend):
        return task
    try:
        return task.using(queue_name=claim.queue, backend=claim.backend)
    except (api.InvalidTask, ImproperlyConfigured):
        return task


@functools.cache
def _worker_id() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _one_line(error: BaseException) -> str:
    """Return what was raised as it is kept and logged: nothing in it is obeyed by a terminal that shows the log."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception may be defective itself
        text = "its own text cannot be made"
    first, *_ = f"{type(error).__name__}: {text}".splitlines()
    return visible.line(first.removesuffix(": ")[:ERROR_MAX_CHARACTERS])[:ERROR_MAX_CHARACTERS]


def _class_path(error: BaseException) -> str:
    path = results.path_of(type(error))
    return (storable(path) or path)[:CLASS_MAX_CHARACTERS]


def _traceback(error: BaseException, task: api.AnyTask | None) -> str:
    """Return the traceback from the task on; what called it is of no interest to its author."""
    frames = error.__traceback__
    while frames is not None and (task is None or frames.tb_frame.f_code is not task.func.__code__):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
    if len(text) <= TRACEBACK_MAX_CHARACTERS:
        return text
    half = TRACEBACK_MAX_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters dropped …\n{text[-half:]}"


def _delay(seconds: Any) -> float | None:
    """Return a wait as the queue can keep it; None and what is no number leave it to the backoff."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds != seconds:  # noqa: PLR0124 - NaN
        return None
    return float(min(max(0, seconds), DELAY_MAX_SECONDS))
