"""`queuectl enqueue`: one job from JSON, options or words; many from a file."""

import shlex
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management import get_commands

from jobs import clock, named_commands, new_job, queue, stats, strict_json
from jobs.cli import arguments, present
from jobs.cli.output import Output
from jobs.cli.parser import Parser, Verbs
from jobs.errors import InvalidInput
from jobs.models import Job
from jobs.new_job import NewJob
from jobs.states import Kind, State

STDIN = "-"
MANAGE_PATH = "jobs.tasks.commands.manage"
ERRORS_SHOWN = 5  # enough to see the pattern, few enough to read
# Options that say something about the job, and so do not go with a job that is written as JSON.
JOB_OPTIONS = (
    "id", "queue", "priority", "run_at", "delay", "max_retries", "timeout", "cwd", "env", "task", "task_args",
    "task_kwargs", "manage", "named", "values",
)  # fmt: skip


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "enqueue",
        run,
        summary="add a job, or many from a file",
        about="One quoted command is run by /bin/sh; several words, best after --, are run without a shell.\n"
        "An argument that starts with { is a job as JSON. Durations: 90s, 10m, 1h30m, 2d.",
        examples=(
            """queuectl enqueue '{"id": "job1", "command": "echo hi", "max_retries": 5}'""",
            "queuectl enqueue --delay 10m --queue mail -- rsync -a /srv /backup",
            "queuectl enqueue --file jobs.jsonl",
        ),
    )
    parser.add_argument(
        "job", nargs="*", metavar="JOB", help="JSON, one quoted command, or words; - reads --file from stdin"
    )
    parser.add_argument("--file", metavar="FILE", help="a JSON object a line; - is stdin; stores all or nothing")
    _add_job_options(parser)
    parser.add_argument("--quiet", action="store_true", help="print ids only")
    arguments.add_json(parser)


def _add_job_options(parser: Parser) -> None:
    parser.add_argument("--id", help="an id of your own: 1 to 64 characters without spaces")
    parser.add_argument("--queue", metavar="QUEUE", help="where it waits (default: default)")
    parser.add_argument("--priority", metavar="N", help="-100 to 100; larger runs sooner (default: 0)")
    parser.add_argument("--delay", metavar="DURATION", help="start no earlier than this from now")
    parser.add_argument("--run-at", metavar="TIME", help="start no earlier than this: 2026-12-31T23:59:00Z")
    parser.add_argument("--max-retries", metavar="N", help="attempts after the first (default: see config)")
    parser.add_argument("--timeout", metavar="DURATION", help="end an attempt after this (default: see config)")
    parser.add_argument("--cwd", metavar="DIR", help="absolute path to run in")
    parser.add_argument(
        "--env", metavar="NAME=VALUE", type=arguments.variable, action="append", help="set a variable; may be repeated"
    )
    parser.add_argument("--task", metavar="PATH", help="run a task function: app.tasks.send")
    parser.add_argument("--args", metavar="JSON", dest="task_args", help="its positional arguments, a list")
    parser.add_argument("--kwargs", metavar="JSON", dest="task_kwargs", help="its named arguments, an object")
    parser.add_argument("--manage", metavar="COMMAND", help='run a management command: "clearsessions"')
    parser.add_argument("--named", metavar="NAME", help='run a command that JOBS["COMMANDS"] names')
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="values",
        type=arguments.variable,
        action="append",
        help="a parameter of it; may be repeated",
    )


def run(options: Namespace, output: Output) -> int:
    now = clock.now()
    if options.file is not None or (options.job == [STDIN] and options.words is None):
        return _enqueue_file(options, output, now)
    fields = _fields(options)
    job = queue.enqueue(_checked(fields, now), now=now)
    with _answering(f"{job.pk} is enqueued", output):
        _report(job, options, output, now)
    return 0


def _checked(fields: dict[str, Any], now: datetime) -> NewJob:
    """Return the job that was asked for. Raise InvalidInput, also for what no worker could run."""
    if fields.get("task") is None:
        return new_job.from_fields(fields, now=now)
    # Imported here: the other verbs need nothing of what runs jobs.
    from jobs.runners.registry import RUNNERS

    if Kind.TASK not in RUNNERS:
        raise InvalidInput("task", 'needs Django 6.0, or its backport: pip install "django-queuectl[tasks]"')
    from jobs.tasks import requests

    return requests.new_job_of(fields, now=now)


def _fields(options: Namespace) -> dict[str, Any]:
    """Return the fields of the one job that was asked for, whichever way it is written."""
    if options.words is None and options.job and options.job[0].startswith("{"):
        _refuse_mix(options, "a job as JSON")
        if len(options.job) > 1:
            raise InvalidInput("JSON", "is followed by more; quote the whole object, or use --file for several jobs")
        return strict_json.load_object(options.job[0])
    return _what(options) | _from_options(options)


def _what(options: Namespace) -> dict[str, Any]:
    """Return the command or the task."""
    if options.words is not None and options.job:
        raise InvalidInput("command", "stands before and after --; put all of it after")
    words = options.job if options.words is None else options.words
    for name in ("task", "manage", "named"):
        if words and getattr(options, name) is not None:
            raise InvalidInput("command", f"does not go with --{name}")
    if options.values is not None and options.named is None:
        raise InvalidInput("--set", "goes with --named")
    if options.named is not None:
        return _named_command(options)
    if options.manage is not None:
        return _management_command(options)
    if options.task is not None:
        return {}
    if not words:
        raise InvalidInput("command", "is missing; see queuectl enqueue --help")
    return {"command": words[0] if len(words) == 1 else words}


def _management_command(options: Namespace) -> dict[str, Any]:
    for name in ("task", "task_args", "task_kwargs"):
        if getattr(options, name) is not None:
            raise InvalidInput("--manage", f"does not go with --{name.removeprefix('task_')}")
    words = _words(options.manage)
    if not words or words[0] not in get_commands():
        raise InvalidInput("--manage", f"{new_job.shown(options.manage)!r} is no management command of this project")
    return {"task": MANAGE_PATH, "args": [options.manage]}


def _named_command(options: Namespace) -> dict[str, Any]:
    """Return what the setting says of the command; options say otherwise of its job."""
    for name in ("task", "task_args", "task_kwargs", "manage"):
        if getattr(options, name) is not None:
            raise InvalidInput("--named", f"does not go with --{name.removeprefix('task_')}")
    return named_commands.find(options.named).fields(_unrepeated("--set", options.values or ()))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidInput("--manage", f"cannot be split into words: {error}") from None


def _from_options(options: Namespace) -> dict[str, Any]:
    fields = arguments.given(options, "id", "queue", "delay", "timeout", "cwd", "task")
    if options.run_at is not None:
        fields["run_at"] = options.run_at
    for name in ("priority", "max_retries"):
        if (text := getattr(options, name)) is not None:
            fields[name] = _whole(text)
    if options.env is not None:
        fields["env"] = _unrepeated("env", options.env)
    for name in ("args", "kwargs"):
        if (text := getattr(options, f"task_{name}")) is not None:
            fields[name] = strict_json.load_field(name, text)
    return fields


def _whole(text: str) -> int | str:
    """Return the number, or the text for `new_job` to refuse."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= arguments.COUNT_MAX_DIGITS else text


def _unrepeated(field: str, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInput(field, f"{new_job.shown(name)} is given twice")
        found[name] = value
    return found


def _refuse_mix(options: Namespace, other: str) -> None:
    for name in JOB_OPTIONS:
        if getattr(options, name) is not None:
            option = "--" + {"values": "set"}.get(name, name.removeprefix("task_").replace("_", "-"))
            raise InvalidInput(option, f"does not go with {other}; write it as a field there")


@contextmanager
def _answering(done: str, output: Output) -> Iterator[None]:
    """Say what was stored if the answer cannot be written: the error alone reads as if nothing was."""
    try:
        yield
        output.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        problem = f"{done}, but the answer could not be written to the output: {error.strerror}"
        raise OSError(error.errno, problem) from error


def _report(job: Job, options: Namespace, output: Output, now: datetime) -> None:
    if options.quiet:
        output.line(job.pk)
    elif options.json:
        output.json(present.job_json(job, queue.load_policies(now=now)))
    else:
        output.line(_sentence(job, now))


def _sentence(job: Job, now: datetime) -> str:
    """Return what was stored, and the next step."""
    how = f"run as task {job.task}" if job.task else "run by /bin/sh" if job.uses_shell else "run without a shell"
    where = "" if job.queue == "default" else f" in queue {job.queue}"
    if job.state == State.SCHEDULED:
        return (
            f"{job.pk} is scheduled{where} for {present.moment(job.run_at, now)}, to be {how}. {_next_step(job, now)}"
        )
    return f"{job.pk} is enqueued{where}, to be {how}. {_next_step(job, now)}"


def _next_step(job: Job, now: datetime) -> str:
    if paused := _paused([job], now):
        return paused
    if not stats.serving(stats.supervisors(now=now), job.queue):
        return "Start a worker: queuectl worker start"
    return f"Follow it: queuectl logs {shlex.quote(job.pk)} --follow"


def _paused(jobs: list[Job], now: datetime) -> str | None:
    """Return which of their queues are paused, and what helps; None if none is."""
    paused = sorted({job.queue for job in jobs} & stats.pauses(now=now).keys())
    if not paused:
        return None
    is_paused = f"{paused[0]} is paused" if len(paused) == 1 else f"{', '.join(paused)} are paused"
    return f"But {is_paused}: queuectl queue resume {shlex.quote(paused[0])}"


def _enqueue_file(options: Namespace, output: Output, now: datetime) -> int:
    _refuse_mix(options, "--file")
    if options.words or (options.job and options.job != [STDIN]):
        raise InvalidInput("command", "does not go with --file")
    name = options.file or STDIN
    is_typed = name == STDIN and output.has_person
    if is_typed:
        output.note("Reading jobs, one JSON object a line; Ctrl-D ends.")
    with _opened(name) as file:
        lines = _lines(file, name)
        news = _read(lines if is_typed else _counted(lines, name, output), name, now)  # a bar would animate over typing
    with output.progress("storing", total=len(news)) as progress:
        jobs = queue.enqueue_many(news, now=now, advance=progress.advance)
    with _answering(f"{present.plural(len(jobs), 'job')} enqueued", output):
        _report_many(jobs, options, output, now)
    return 0


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STDIN:
        if sys.stdin is None:
            raise InvalidInput("--file", "cannot read -: standard input is closed")
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - only the opening is guarded here; it is closed below
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise InvalidInput("--file", f"cannot read {new_job.shown(name)}: {reason}") from None
    with file:
        yield file


def _read(lines: Iterable[bytes], name: str, now: datetime) -> list[NewJob]:
    """Return the jobs of all lines. Raise InvalidInput that tells of the first wrong ones."""
    news: list[NewJob] = []
    lines_of_ids: dict[str, int] = {}
    wrong: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            new = _checked(strict_json.load_object(line), now)
            _refuse_repeated(new, number, lines_of_ids)
            news.append(new)
        except InvalidInput as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        raise InvalidInput(new_job.shown(name), _summary(wrong))
    return news


def _lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the lines; of one that is too long, as much as shows that it is."""
    try:
        while line := file.readline(strict_json.DOCUMENT_MAX_BYTES + 2):
            whole = line
            while not whole.endswith(b"\n") and (whole := file.readline(strict_json.DOCUMENT_MAX_BYTES)):
                line += whole[:1]
            yield line.rstrip(b"\r\n")
    except OSError as error:
        raise InvalidInput("--file", f"cannot read {new_job.shown(name)}: {error.strerror}") from None


def _counted(lines: Iterable[bytes], name: str, output: Output) -> Iterator[bytes]:
    """Yield the lines with a bar that counts them."""
    with output.progress(f"reading {name}") as progress:
        for line in lines:
            progress.advance(1)
            yield line


def _refuse_repeated(new: NewJob, number: int, lines_of_ids: dict[str, int]) -> None:
    if new.id is not None and lines_of_ids.setdefault(new.id, number) != number:
        raise InvalidInput("id", f"{new.id} stands in line {lines_of_ids[new.id]} already")


def _summary(wrong: list[str]) -> str:
    more = f"; and {len(wrong) - ERRORS_SHOWN:,} more" if len(wrong) > ERRORS_SHOWN else ""
    return f"nothing was stored; {'; '.join(wrong[:ERRORS_SHOWN])}{more}"


def _report_many(jobs: list[Job], options: Namespace, output: Output, now: datetime) -> None:
    if options.quiet:
        for job in jobs:
            output.line(job.pk)
    elif options.json:
        policies = queue.load_policies(now=now)
        output.json([present.job_json(job, policies) for job in jobs])
    elif not jobs:
        output.line(f"0 jobs enqueued: no job in {_source(options)}.")
    else:
        next_step = _paused(jobs, now) or "Watch them: queuectl status --watch"
        output.line(f"{present.plural(len(jobs), 'job')} enqueued. {next_step}")


def _source(options: Namespace) -> str:
    return "standard input" if options.file in (None, STDIN) else str(options.file)
