"""Values that the queue hands to the database modules."""

from dataclasses import dataclass
from datetime import datetime

from jobs.states import Ending, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The end of one claim, as it is written to the job's row.

    `state` holds unless a person asked to cancel the job meanwhile; then `state_if_cancelled` does. `run_at` of None
    leaves the column as it is; `ending` of None (claimed, never started) leaves how the attempt before it ended.
    """

    id: str
    supervisor_id: int
    fence: int
    state: State
    state_if_cancelled: State
    ending: Ending | None
    exit_code: int | None
    error: str | None
    started_at: datetime | None
    ended_at: datetime
    run_at: datetime | None
    refund: int
    postponed: int
