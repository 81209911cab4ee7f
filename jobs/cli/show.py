"""`queuectl show`: everything about one job. `dlq show` prints the same."""

import json
import shlex
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from jobs import clock, masking, moments, queue, stats
from jobs.cli import arguments, present
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.cli.table import Cell, Column
from jobs.models import Attempt, Job
from jobs.states import DEFERRED

LABEL_WIDTH = 12
OUTPUT_LINES = 10  # a glance; `logs` prints all of it
ATTEMPT_COLUMNS = (
    Column(title="  #", is_right=True),
    Column(title="OUTCOME"),
    Column(title="STARTED"),
    Column(title="RAN", is_right=True),
    Column(title="WHERE", optional_rank=1),
    Column(title="ERROR", is_flexible=True),
)


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "show",
        run,
        summary="show one job with its attempts",
        about="Values that look secret by their names are masked.",
        examples=("queuectl show job1", "queuectl show job1 --json"),
    )
    parser.add_argument("job", metavar="JOB", help="its id")
    arguments.add_json(parser)


def run(options: Namespace, output: Output) -> int:
    print_job(stats.find_job(options.job), output, as_json=options.json)
    return 0


def print_job(job: Job, output: Output, *, as_json: bool) -> None:
    now = clock.now()
    policies = queue.load_policies(now=now)
    attempts = list(stats.attempts(job.pk))
    if as_json:
        output.json(present.job_details_json(job, attempts, policies))
        return
    output.pieces([Cell(job.pk, "bold"), Cell("  "), present.state_cell(job)])
    for label, text in _facts(job, policies, now):
        output.prose(text, label=[Cell(f"  {label:<{LABEL_WIDTH}}", "dim")])
    if attempts:
        output.line()
        output.table(ATTEMPT_COLUMNS, [_attempt_row(attempt, now) for attempt in attempts])
        _print_output(job, attempts[-1], output)
    if job.return_value is not None:
        output.line()
        output.prose(_as_json(masking.masked(job.return_value)), label=[Cell("  returned  ", "dim")])
    _print_reasons(job, output, now)


def _facts(job: Job, policies: queue.Policies, now: datetime) -> Iterator[tuple[str, str]]:
    yield from _what(job)
    priority = f", priority {job.priority}" if job.priority else ""
    yield "queue", f"{job.queue}{priority}"
    limit = present.max_retries(job, policies) + 1
    yield "attempts", f"{job.attempts} of {limit}"
    if (timeout := present.timeout_seconds(job, policies)) is not None:
        yield "timeout", present.how_long(timeout)
    yield "enqueued", present.moment(job.enqueued_at, now)
    if job.state in DEFERRED:
        yield "due", present.moment(job.run_at, now)
    if job.started_at:
        yield "started", present.moment(job.started_at, now)
    if job.finished_at:
        yield "finished", present.moment(job.finished_at, now)
    if job.outcome:
        yield "outcome", present.ending(job.outcome, job.exit_code)
    if job.error and job.error != f"exit code {job.exit_code}":
        yield "error", job.error


def _what(job: Job) -> Iterator[tuple[str, str]]:
    if job.task:
        yield "task", job.task
        arguments_shown = [*_values(job.args), *_pairs(job.kwargs, _as_json)]
        yield "arguments", ", ".join(arguments_shown) or "none"
        return
    yield "command", job.command or ""
    yield "run by", "/bin/sh" if job.uses_shell else "itself, without a shell"
    if job.cwd:
        yield "in", job.cwd
    if job.env:
        yield "env", " ".join(_pairs(job.env, lambda text: shlex.quote(str(text))))


def _values(values: Any) -> list[str]:
    masked = masking.masked(values or [])
    return [_as_json(value) for value in masked] if isinstance(masked, list) else [_as_json(masked)]


def _pairs(values: Any, shown: Callable[[Any], str]) -> list[str]:
    """Return named values, secrets masked; and as it stands what has no names, as only a row written by hand can."""
    masked = masking.masked(values or {})
    if not isinstance(masked, Mapping):
        return [_as_json(masked)]
    return [f"{name}={shown(value)}" for name, value in masked.items()]


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _attempt_row(attempt: Attempt, now: datetime) -> list[Cell | str]:
    ran = moments.rough(attempt.run_seconds) if attempt.run_seconds is not None else ""
    where = f"{attempt.host}:{attempt.pid}" if attempt.pid else attempt.host
    return [
        str(attempt.number),
        present.ending(attempt.outcome, None),
        moments.relative(attempt.started_at, now=now),
        ran,
        where,
        attempt.error or "",
    ]


def _print_output(job: Job, attempt: Attempt, output: Output) -> None:
    lines = attempt.report.splitlines()
    if not lines:
        return
    output.line()
    left_out = len(lines) - OUTPUT_LINES
    if left_out > 0:
        output.line(f"  … {left_out:,} lines before; all of it: queuectl logs {shlex.quote(job.pk)}", style="dim")
    for line in lines[-OUTPUT_LINES:]:
        output.pieces([Cell("  │ ", "dim"), Cell(line)])


def _print_reasons(job: Job, output: Output, now: datetime) -> None:
    """Say why it is not finished, or how it ended, with the command that changes it."""
    output.line()
    for reason in stats.why_waiting(job, now=now):
        sentence = f"{reason.text[0].upper()}{reason.text[1:]}"
        output.prose(f"{sentence}.")
        output.remedy(reason.remedy)
