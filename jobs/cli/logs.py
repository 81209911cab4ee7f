"""`queuectl logs`: what a job printed, or prints."""

import shlex
import time
from argparse import Namespace

from jobs import clock, moments, stats
from jobs.cli import arguments, present
from jobs.cli.follow import Reader
from jobs.cli.obstacles import Obstacles
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.errors import NotFound
from jobs.models import Attempt, Job
from jobs.states import FINAL, State

POLL_SECONDS = 0.3  # soon enough for eyes; a supervisor stores running output once a second


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "logs",
        run,
        summary="print what a job printed",
        about="Of a long output the first and the last part are kept.",
        examples=("queuectl logs job1", "queuectl logs job1 --follow"),
    )
    parser.add_argument("job", metavar="JOB", help="its id")
    parser.add_argument(
        "--attempt", metavar="N", type=arguments.whole(1, 1_000_000), help="this attempt, not the latest"
    )
    parser.add_argument("--follow", "-f", action="store_true", help="print on while it runs, until its end")
    arguments.add_json(parser)


def run(options: Namespace, output: Output) -> int:
    job = stats.find_job(options.job)
    if options.follow:
        return Follower(job.pk, output).follow()
    attempt = _chosen(job, options.attempt)
    if options.json:
        output.json(_json(attempt) if attempt else None)
    elif attempt is None:
        reason = stats.why_waiting(job, now=clock.now())[0]
        output.note(f"{job.pk} has not run yet: {reason.text}.")
    else:
        output.stored(attempt.report)
        if output.is_terminal and attempt.report and not attempt.report.endswith("\n"):
            output.line()
    return 0


def _chosen(job: Job, number: int | None) -> Attempt | None:
    """Return that attempt, or the latest. A requeued job counts from 1 again; then the later one is meant."""
    attempts = stats.attempts(job.pk)
    if number is None:
        return attempts.last()
    chosen = attempts.filter(number=number).last()
    if chosen is None:
        raise NotFound(f"{job.pk} has no attempt {number}; see queuectl show {shlex.quote(job.pk)}")
    return chosen


def _json(attempt: Attempt) -> dict[str, object]:
    return present.attempt_json(attempt) | {
        "output_head": attempt.output_head,
        "output_tail": attempt.output_tail,
        "output_dropped_bytes": attempt.output_dropped_bytes,
        "traceback": attempt.traceback,
    }


class Follower:
    """Prints the latest attempt of a job and those that come after it, until the job is final."""

    def __init__(self, job_id: str, output: Output) -> None:
        self._job_id = job_id
        self._output = output
        latest = stats.attempts(job_id).values_list("fence", flat=True).last()
        self._read_fence = (latest or 1) - 1  # attempts up to here are not, or no longer, of interest
        self._reader: Reader | None = None  # of the attempt that runs
        self._obstacles = Obstacles(output)

    def follow(self) -> int:
        while True:
            # The state first: once it is final, all that was printed is stored.
            job = stats.find_job(self._job_id)
            for attempt in stats.attempts(self._job_id, after_fence=self._read_fence):
                self._print(attempt, job)
            self._output.flush()
            if job.state in FINAL:
                self._output.note(f"{job.pk} {present.verdict(job)}.")
                return 0
            self._obstacles.tell(self._job_id)
            time.sleep(POLL_SECONDS)

    def _print(self, attempt: Attempt, job: Job) -> None:
        is_over = attempt.outcome is not None
        if self._reader is None:
            self._reader = Reader()
            if attempt.number > 1:
                self._output.note(f"Attempt {attempt.number}, on {attempt.host}:", style="dim")
        piece = self._reader.read(
            head=attempt.output_head,
            tail=attempt.output_tail,
            dropped_bytes=attempt.output_dropped_bytes,
            is_over=is_over,
        )
        if piece.skipped_bytes:
            self._output.note(f"… {piece.skipped_bytes:,} bytes were dropped …", style="dim")
        self._output.stored(piece.text)
        if is_over:
            self._output.stored(attempt.report.removeprefix(attempt.output))
            self._reader = None
            self._read_fence = attempt.fence
            self._announce_end(attempt, job)

    def _announce_end(self, attempt: Attempt, job: Job) -> None:
        if job.state in FINAL or attempt.outcome == "completed":
            return
        ended = f"Attempt {attempt.number}: {present.ending(attempt.outcome, attempt.exit_code)}"
        if job.state == State.FAILED:
            ended += f"; the next one is due {moments.relative(job.run_at, now=clock.now())}"
        self._output.note(f"{ended}.", style="dim")
