"""Death at every database statement: each verb is run again and again, to die at its first statement, its second, and
so on, before it or after it, until it ends untouched. A supervisor is swept while it claims, records and rescues.
"""

import random
import signal
from collections.abc import Callable
from typing import Any

from tests.chaos import load, plan
from tests.chaos.arena import Arena, Member, Running
from tests.chaos.load import Job

EXISTS = 5  # the exit code of an enqueue whose id is taken
SUPERVISOR_JOBS = 3
STATEMENTS_MAX = 1_000  # nothing has so many
# Of a supervisor's many statements a round takes every third, and from which one on is up to its seed: rounds that
# follow each other have them all. A short round takes every ninth.
STRIDE, SHORT_STRIDE = 3, 9

Run = Callable[[int, bool], Running]


class Sweep:
    def __init__(self, arena: Arena, *, seed: int, environment: dict[str, str], is_short: bool) -> None:
        self._arena = arena
        self._chance = random.Random(f"{seed} sweep")
        self._environment = environment
        self._stride = SHORT_STRIDE if is_short else STRIDE
        self._first = 1 + seed // len(plan.THEME_NAMES) % self._stride
        self._is_thorough = not is_short
        self._made = 0
        self.jobs: dict[str, Job] = {}

    def run(self) -> None:
        """Sweep the commands beside a supervisor that is left alone, then supervisors."""
        arena = self._arena
        member = Member(launcher=arena.launchers[0], number=0)
        arena.members = [member]
        arena.start_supervisor(member)
        for verb, make in self._commands().items():
            self._sweep(f"statement of {verb}", make, range(1, STATEMENTS_MAX))
        while not arena.is_complete:
            arena.mind()
        arena.stop()
        arena.members = []
        self._sweep("statement of worker start", self._supervisor, range(self._first, STATEMENTS_MAX, self._stride))

    def _sweep(self, nemesis: str, make: Run, numbers: range) -> None:
        for number in numbers:
            is_untouched = True
            for is_after in (False, True) if self._is_thorough else (self._chance.random() < 0.5,):
                running = make(number, is_after)
                running.nemesis = nemesis
                is_untouched &= self._arena.finish(running) != -signal.SIGKILL
            if is_untouched:
                self._arena.faults[f"untouched {nemesis}"] = number
                return

    def _commands(self) -> dict[str, Run]:
        return {
            "enqueue": self._enqueue,
            "enqueue --file": self._enqueue_file,
            "a transaction": lambda number, is_after: self._program(number, is_after, commits=True),
            "a rollback": lambda number, is_after: self._program(number, is_after, commits=False),
            "dlq retry": self._retry,
            "cancel": self._cancel,
            "prune": self._prune,
        }

    def _job(self, name: str, **fields: Any) -> Job:
        """Make a job that is over at once."""
        self._made += 1
        made: dict[str, Any] = {
            "id": f"{name}{self._made}",
            "queue": "default",
            "priority": 0,
            "max_retries": load.PATIENT_RETRIES,
            "backoff_base": 0.3,
            "backoff_max": load.BACKOFF_MAX_SECONDS,
            "command": f"{load.WITNESS}m E",
            "env": self._environment,
        }
        return Job(fields=made | fields)

    def _know(self, *jobs: Job) -> list[dict[str, Any]]:
        self.jobs |= {job.id: job for job in jobs}
        return [job.fields for job in jobs]

    def _enqueue(self, number: int, is_after: bool) -> Running:
        """Enqueue a job; then, where that died, again with the same id: it is taken, or it is stored now."""
        (fields,) = self._know(self._job("json"))
        running = self._arena.run_enqueue(fields, die_at=number, is_after=is_after)
        if self._arena.finish(running) == -signal.SIGKILL:
            again = self._arena.finish(self._arena.run_enqueue(fields))
            if again == EXISTS:
                self._arena.acknowledge(fields["id"])
            elif again:
                self._arena.surprises.append(f"{fields['id']} could not be enqueued again: exit code {again}")
        return running

    def _enqueue_file(self, number: int, is_after: bool) -> Running:
        return self._arena.run_enqueue(
            *self._know(*(self._job("file") for _ in range(3))), die_at=number, is_after=is_after
        )

    def _program(self, number: int, is_after: bool, *, commits: bool) -> Running:
        jobs = [self._job("commit" if commits else "rollback") for _ in range(2)]
        if not commits:
            jobs = [Job(fields=job.fields, is_rolled_back=True) for job in jobs]
        return self._arena.run_program(self._know(*jobs), commits=commits, die_at=number, is_after=is_after)

    def _retry(self, number: int, is_after: bool) -> Running:
        """Requeue all that is dead: at least one that dies at once each time, if the supervisor is quick."""
        dying = Job(fields=self._job("dying", command=f"{load.WITNESS}m F; exit 100").fields, can_complete=False)
        self._enqueue_safely(dying)
        return self._arena.run("", "dlq", "retry", "--all", die_at=number, is_after=is_after)

    def _cancel(self, number: int, is_after: bool) -> Running:
        job = Job(fields=self._job("late", delay=0.6).fields, may_be_cancelled=True)
        self._enqueue_safely(job)
        return self._arena.run("", "cancel", job.id, die_at=number, is_after=is_after)

    def _prune(self, number: int, is_after: bool) -> Running:
        self._enqueue_safely(self._job("brief", queue=load.BRIEF_QUEUE))
        return self._arena.run("", "prune", die_at=number, is_after=is_after)

    def _supervisor(self, number: int, is_after: bool) -> Running:
        self._enqueue_safely(*(self._job("work") for _ in range(SUPERVISOR_JOBS)))
        return self._arena.run("", "worker", "start", "--drain", "--count", "2", die_at=number, is_after=is_after)

    def _enqueue_safely(self, *jobs: Job) -> None:
        self._arena.finish(self._arena.run_enqueue(*self._know(*jobs)))
