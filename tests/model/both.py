"""The queue and its reference model side by side: every step is taken on both, and both are compared."""

from datetime import datetime
from typing import Any

from tests.model import invariants
from tests.model.real import Real
from tests.model.reference import Reference
from tests.model.rows import JobRow


class Both:
    def __init__(self, *, postponements_max: int) -> None:
        self.model = Reference(postponements_max=postponements_max)
        self.real = Real()
        self.jobs: dict[str, JobRow] = {}  # as the tables had them after the last step

    def step(self, operation: str, **arguments: Any) -> Any:
        """Return what both say to it."""
        expected = getattr(self.model, operation)(**arguments)
        assert getattr(self.real, operation)(**arguments) == expected
        jobs = self.real.jobs()
        assert jobs == self.model.jobs
        invariants.check(operation, self.jobs, jobs)
        self.jobs = jobs
        return expected

    def compare(self, *, now: datetime) -> None:
        """Compare all other tables, and what people and supervisors are told."""
        model, real = self.model, self.real
        assert real.attempts() == model.attempts
        assert real.supervisors() == model.supervisors
        assert real.counts() == model.counts()
        assert real.totals() == model.totals()
        assert real.next_due_at() == model.next_due_at()
        assert real.open_queues(now=now) == model.open_queues(now=now)
        for number in {row.owner for row in model.jobs.values() if row.owner is not None}:
            assert real.cancels_asked(number) == model.cancels_asked(number)
            assert sorted(real.held(number)) == sorted(model.held(number))
