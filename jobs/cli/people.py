"""`queuectl retry`, `run-now`, `cancel` and `delete`: what a person does to jobs."""

import shlex
from argparse import Namespace

from jobs import clock, queue, stats
from jobs.cli import arguments, present, report
from jobs.cli.output import Output
from jobs.cli.parser import Verbs
from jobs.states import State

EXIT_DECLINED = 1


def configure(verbs: Verbs) -> None:
    retry = verbs.add(
        "retry",
        _retry,
        summary="run finished jobs again",
        about="Completed, dead and cancelled jobs become pending, with all their attempts ahead of them.",
        examples=("queuectl retry job1", "queuectl retry job1 job2"),
    )
    report.add_ids(retry)
    run_now = verbs.add(
        "run-now",
        _run_now,
        summary="make jobs due that wait for their time",
        about="Scheduled jobs, and failed ones whose next attempt is not due yet, become pending.",
        examples=("queuectl run-now job1", "queuectl run-now job1 job2"),
    )
    report.add_ids(run_now)
    cancel = verbs.add(
        "cancel",
        _cancel,
        summary="stop jobs that wait or run",
        about="A waiting job is cancelled at once; a running one is ended with all its processes within seconds.",
        examples=("queuectl cancel job1", "queuectl cancel job1 job2"),
    )
    report.add_ids(cancel)
    delete = verbs.add(
        "delete",
        _delete,
        summary="delete finished jobs with their history",
        about="A person is asked first. Where nobody can be asked, as in a script, their ids are enough.",
        examples=("queuectl delete job1", "queuectl delete --yes job1 job2"),
    )
    report.add_ids(delete)
    arguments.add_yes(delete)


def _retry(options: Namespace, output: Output) -> int:
    done = queue.requeue(options.jobs, now=clock.now())
    return report.print_report(done, output, retried)


def retried(id_: str) -> str:
    return f"{id_} is pending again. Follow it: queuectl logs {shlex.quote(id_)} --follow"


def _run_now(options: Namespace, output: Output) -> int:
    done = queue.run_now(options.jobs, now=clock.now())
    return report.print_report(done, output, _due)


def _due(id_: str) -> str:
    return f"{id_} is due now. Follow it: queuectl logs {shlex.quote(id_)} --follow"


def _cancel(options: Namespace, output: Output) -> int:
    now = clock.now()
    done = queue.cancel(options.jobs, now=now)
    states = stats.states_of(done.changed)
    orphans = stats.orphans(now=now)

    def sentence(id_: str) -> str:
        if id_ in orphans:
            return f"{id_} is cancelled when a worker runs; its supervisor is gone. Start one: queuectl worker start"
        if states.get(id_) == State.PROCESSING:
            return f"{id_} runs, and was asked to stop. Wait for it: queuectl wait {shlex.quote(id_)}"
        return f"{id_} is cancelled. Run it after all: queuectl retry {shlex.quote(id_)}"

    return report.print_report(done, output, sentence)


def _delete(options: Namespace, output: Output) -> int:
    if not is_deletion_meant(options, output):
        output.note("Nothing was deleted.")
        return EXIT_DECLINED
    return report.print_report(queue.delete(options.jobs, now=clock.now()), output, "{} is deleted.".format)


def is_deletion_meant(options: Namespace, output: Output) -> bool:
    """Ask a person before named jobs are deleted. Where nobody can be asked, their names are enough."""
    if options.yes or not output.has_person:
        return True
    count = len(set(options.jobs))
    return output.confirms(f"Delete {present.plural(count, 'job')} with all attempts and output?")
