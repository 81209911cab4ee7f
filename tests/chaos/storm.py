"""A storm: a load, and faults of all kinds at moments that the plan names, until all that lasts has been mended."""

import heapq
import itertools
import time
from collections.abc import Callable

from tests.chaos import nemeses
from tests.chaos.arena import TURN_SECONDS, Arena, uptime
from tests.chaos.load import Batch, Job
from tests.chaos.plan import Plan, Strike

Act = Callable[[], None]


class Storm:
    def __init__(self, arena: Arena, plan: Plan) -> None:
        self._arena = arena
        self._plan = plan
        self._order = itertools.count()
        self._agenda: list[tuple[float, int, Act]] = []
        self.jobs: dict[str, Job] = {job.id: job for batch in plan.batches for job in batch.jobs}
        arena.cancellable = frozenset(job.id for job in self.jobs.values() if job.may_be_cancelled)

    def run(self) -> None:
        self._arena.gather()
        began = uptime()
        for batch in self._plan.batches:
            self._schedule(began + batch.at, self._enqueuing(batch))
        for strike in self._plan.strikes:
            self._schedule(began + strike.at, self._striking(strike))
        while self._agenda:
            self._arena.mind()
            while self._agenda and self._agenda[0][0] <= uptime():
                heapq.heappop(self._agenda)[2]()
            time.sleep(TURN_SECONDS)
        self._arena.thaw()
        self._arena.wait_for_commands()

    def _schedule(self, at: float, act: Act) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), act))

    def _enqueuing(self, batch: Batch) -> Act:
        return lambda: self._arena.enqueue(batch)

    def _striking(self, strike: Strike) -> Act:
        return lambda: self._strike(strike)

    def _strike(self, strike: Strike) -> None:
        began = uptime()
        heal = nemeses.NEMESES[strike.nemesis](self._arena, strike)
        self._arena.faults[strike.nemesis] += 1
        if strike.nemesis in nemeses.OF_THE_SITE:
            self._arena.is_faulty = True
            heal = self._mending(strike, began, heal)
        if heal is not None:
            self._schedule(uptime() + strike.seconds, heal)

    def _mending(self, strike: Strike, began: float, heal: Act | None) -> Act:
        def mend() -> None:
            if heal is not None:
                heal()
            self._arena.note(strike.nemesis, since=began)
            self._arena.is_faulty = False

        return mend
