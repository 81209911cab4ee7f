"""How much work to take at a time: pure arithmetic on measured run times."""

from dataclasses import dataclass

AHEAD_SECONDS = 0.05  # work claimed beyond what runs: twice what lies between two turns of the store
AHEAD_MAX_JOBS = 1_000  # a thread's share of no-op jobs: as many as the store records in one turn
RUN_SECONDS_MIN = 0.00002  # a no-op task; keeps the division sane
WEIGHT = 0.3  # of the newest job in the average: ten jobs change the picture


@dataclass(slots=True)
class Pace:
    """The typical run time, as a moving average. It starts pessimistic: nothing is claimed ahead before it is known."""

    run_seconds: float = 1.0

    def note(self, run_seconds: float) -> None:
        self.run_seconds += WEIGHT * (run_seconds - self.run_seconds)

    def jobs_per_thread(self) -> int:
        """Return how many jobs a thread may hold: the one it runs, and some milliseconds of work ahead."""
        return 1 + min(AHEAD_MAX_JOBS, self.jobs_in(AHEAD_SECONDS))

    def jobs_in(self, seconds: float) -> int:
        """Return how many jobs a thread gets done in that time."""
        return int(seconds / max(self.run_seconds, RUN_SECONDS_MIN))
