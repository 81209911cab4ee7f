"""`queuectl dlq`: the Dead Letter Queue."""

import shlex
from argparse import Namespace
from datetime import datetime

from jobs import clock, moments, queue, stats
from jobs.cli import arguments, people, present, report, show
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.cli.table import Cell, Column
from jobs.errors import InvalidInput, WrongState
from jobs.models import Job
from jobs.states import State

COLUMNS = (
    Column(title="ID"),
    Column(title="TRIES", is_right=True, optional_rank=2),
    Column(title="DIED", optional_rank=3),
    Column(title="QUEUE", optional_rank=1),
    Column(title="ERROR", is_flexible=True),
    Column(title="COMMAND", is_flexible=True),
)


def configure(verbs: Verbs) -> None:
    dlq = verbs.add_noun(
        "dlq",
        summary="the Dead Letter Queue: jobs that gave up",
        about="Dead jobs are kept until a person retries or discards them.",
        examples=("queuectl dlq list", "queuectl dlq retry job1"),
    )
    _configure_reading(dlq)
    retry = dlq.add(
        "retry",
        _retry,
        summary="put dead jobs back into their queues",
        about="They become pending, with all their attempts ahead of them; their history stays.",
        examples=("queuectl dlq retry job1 job2", "queuectl dlq retry --all --queue mail"),
    )
    report.add_ids_or_all(retry)
    discard = dlq.add(
        "discard",
        _discard,
        summary="delete dead jobs",
        about="A person is asked first. Where nobody can be asked, ids are enough; --all needs --yes.",
        examples=("queuectl dlq discard job1", "queuectl dlq discard --all --queue mail --yes"),
    )
    report.add_ids_or_all(discard)
    arguments.add_yes(discard)


def _configure_reading(dlq: Verbs) -> None:
    listing = dlq.add(
        "list",
        _list,
        summary="list dead jobs, the last to die first",
        examples=("queuectl dlq list", "queuectl dlq list --queue mail --json"),
    )
    listing.add_argument("--queue", metavar="QUEUE", type=arguments.queue, help="only those of this queue")
    arguments.add_limit(listing)
    arguments.add_json(listing)
    showing = dlq.add(
        "show",
        _show,
        summary="show why a job died",
        examples=("queuectl dlq show job1", "queuectl dlq show job1 --json"),
    )
    showing.add_argument("job", metavar="JOB", help="its id")
    arguments.add_json(showing)


def _list(options: Namespace, output: Output) -> int:
    now = clock.now()
    jobs = stats.dead_jobs(queue=options.queue, limit=options.limit)
    policies = queue.load_policies(now=now)
    if options.json:
        output.json([present.job_json(job, policies) for job in jobs])
        return 0
    if not jobs:
        output.note("The Dead Letter Queue is empty." if options.queue is None else f"No dead job in {options.queue}.")
        return 0
    output.table(COLUMNS, [_row(job, policies, now) for job in jobs])
    total = stats.count_dead(queue=options.queue)
    output.note(f"{len(jobs):,} of {total}. Run one again: queuectl dlq retry {shlex.quote(jobs[0].pk)}", style="dim")
    return 0


def _row(job: Job, policies: queue.Policies, now: datetime) -> list[Cell | str]:
    died = moments.relative(job.finished_at, now=now) if job.finished_at else ""
    return [Cell(job.pk, "bold"), present.tries(job, policies), died, job.queue, Cell(job.error or "", "red"), job.what]


def _show(options: Namespace, output: Output) -> int:
    job = stats.find_job(options.job)
    if job.state != State.DEAD:
        raise WrongState(f"{job.pk} is {job.state}, not dead; see queuectl show {shlex.quote(job.pk)}")
    show.print_job(job, output, as_json=options.json)
    return 0


def _retry(options: Namespace, output: Output) -> int:
    report.refuse_unclear_choice(options)
    if not options.all:
        return report.print_report(queue.retry_dead(options.jobs, now=clock.now()), output, people.retried)
    count = _apply_to_all(queue.RETRY_DEAD, options, output)
    jobs_are = "job is" if count == 1 else "jobs are"
    output.line(
        f"{count:,} dead {jobs_are} pending again. Watch: queuectl status --watch" if count else "No dead jobs."
    )
    return 0


def _discard(options: Namespace, output: Output) -> int:
    report.refuse_unclear_choice(options)
    is_meant = _is_confirmed if options.all else people.is_deletion_meant
    if not is_meant(options, output):
        output.note("Nothing was discarded.")
        return people.EXIT_DECLINED
    if not options.all:
        done = queue.discard(options.jobs, now=clock.now())
        return report.print_report(done, output, "{} is discarded.".format)
    count = _apply_to_all(queue.DISCARD, options, output)
    output.line(f"{present.plural(count, 'dead job')} discarded." if count else "No dead jobs.")
    return 0


def _is_confirmed(options: Namespace, output: Output) -> bool:
    if options.yes:
        return True
    if not output.has_person:
        raise InvalidInput("--all", "needs --yes where nobody can be asked; nothing was discarded")
    total = stats.count_dead_exactly(queue=options.queue)
    where = f" of queue {options.queue}" if options.queue else ""
    return output.confirms(f"Delete all dead jobs{where} ({total:,}) with their attempts and output?")


def _apply_to_all(verb: queue.Verb, options: Namespace, output: Output) -> int:
    dead = Job.objects.filter(state=State.DEAD)
    if options.queue is not None:
        dead = dead.filter(queue=options.queue)
    total = stats.count_dead_exactly(queue=options.queue)
    batches = queue.apply_to_all(verb, dead, now=clock.now())
    return report.run_through(batches, "dead jobs", total, output)
