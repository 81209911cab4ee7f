"""`queuectl wait`: until jobs are final; their verdict is the exit code."""

import math
import time
from argparse import Namespace
from collections.abc import Iterable

from jobs import clock, queue, stats
from jobs.cli import arguments, present
from jobs.cli.obstacles import Obstacles
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.errors import NotFound
from jobs.models import Job
from jobs.new_job import shown
from jobs.states import FINAL, State

POLL_SECONDS = 0.2
EXIT_NOT_COMPLETED = 10
EXIT_TIMED_OUT = 124  # what timeout(1) ends with


def configure(verbs: Verbs) -> None:
    parser = verbs.add(
        "wait",
        run,
        summary="wait until jobs are finished",
        about=f"Exit code 0: all completed; {EXIT_NOT_COMPLETED}: one did not; {EXIT_TIMED_OUT}: the time is over.",
        examples=("queuectl wait job1 job2", "queuectl wait job1 --timeout 30s && echo it completed"),
    )
    parser.add_argument("jobs", nargs="+", metavar="JOB", help="ids")
    parser.add_argument("--timeout", metavar="DURATION", type=arguments.duration, help="wait no longer than this")
    arguments.add_json(parser)


def run(options: Namespace, output: Output) -> int:
    ids = list(dict.fromkeys(options.jobs))
    _refuse_missing(ids)
    finished, waiting = _wait(ids, options, output)
    if options.json:
        policies = queue.load_policies(now=clock.now())
        jobs = [*finished, *(stats.find_job(id_) for id_ in waiting)]
        output.json([present.job_json(job, policies) for job in jobs])
    for id_, state in waiting.items():
        output.note(f"{id_} is still {state}.")
    if waiting:
        return EXIT_TIMED_OUT
    completed = [job for job in finished if job.state == State.COMPLETED]
    return 0 if len(completed) == len(ids) else EXIT_NOT_COMPLETED


def _wait(ids: list[str], options: Namespace, output: Output) -> tuple[list[Job], dict[str, State]]:
    """Return the jobs that finished, and the states of those that did not in time. Deleted ones are in neither."""
    deadline = math.inf if options.timeout is None else time.monotonic() + options.timeout
    obstacles = Obstacles(output)
    finished: list[Job] = []
    waiting = dict.fromkeys(ids, State.PENDING)
    while waiting:
        states = stats.states_of(list(waiting))
        finished += _print_finished(states, output, is_quiet=options.json)
        waiting = {id_: states[id_] for id_ in waiting if id_ in states and states[id_] not in FINAL}
        if not waiting or time.monotonic() >= deadline:
            break
        obstacles.tell(next(iter(waiting)))  # of one; what keeps all of them is told once, not a thousand times
        time.sleep(POLL_SECONDS)
    return finished, waiting


def _refuse_missing(ids: list[str]) -> None:
    states = stats.states_of(ids)
    missing = next((id_ for id_ in ids if id_ not in states), None)
    if missing is not None:
        raise NotFound(f"there is no job {shown(missing)}")


def _print_finished(states: dict[str, State], output: Output, *, is_quiet: bool) -> Iterable[Job]:
    jobs = [stats.find_job(id_) for id_, state in states.items() if state in FINAL]
    for job in jobs if not is_quiet else ():
        output.line(f"{job.pk} {present.verdict(job)}.", style=present.STATE_STYLES.get(State(job.state)))
    output.flush()
    return jobs
