"""What keeps a job from running, said once to whoever waits for it. Used by `logs --follow` and `wait`."""

import time

from jobs import clock, stats
from jobs.cli.output import Output

LOOK_SECONDS = 3.0  # between two looks at why a job waits
CODES = ("orphaned", "paused", "scheduled", "unserved")  # what does not pass by itself, or not soon


class Obstacles:
    """Remembers what it said, so that a reason is told when it is news."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._next_look = 0.0
        self._told: tuple[str, str] | None = None

    def tell(self, job_id: str) -> None:
        """Say what is in the job's way, or who waits for it would wait for he knows not what."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        reasons = stats.why_waiting(stats.find_job(job_id), now=clock.now())
        obstacle = next((reason for reason in reasons if reason.code in CODES), None)
        if obstacle is not None and (job_id, obstacle.code) != self._told:
            self._told = (job_id, obstacle.code)
            self._output.note(f"{job_id} waits: {obstacle.text} ({obstacle.remedy}).", style="dim")
