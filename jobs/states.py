"""The words a job's life is told in: states, kinds, endings, and which state may follow which.

Pure names; every other module imports them, this one imports nothing of ours.
"""

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy


class State(TextChoices):
    """Where a job is. One column holds it; `TRANSITIONS` says what may follow."""

    # Waits for its run_at.
    SCHEDULED = "scheduled", pgettext_lazy("job state", "scheduled")
    # Due; any supervisor may claim it.
    PENDING = "pending", pgettext_lazy("job state", "pending")
    # Claimed by a supervisor whose lease is alive.
    PROCESSING = "processing", pgettext_lazy("job state", "processing")
    # Succeeded. Final.
    COMPLETED = "completed", pgettext_lazy("job state", "completed")
    # The last attempt failed and the next one is due at run_at. Not final: "failed for good" is DEAD.
    FAILED = "failed", pgettext_lazy("job state", "failed")
    # Gave up. Final, and kept in the Dead Letter Queue for a person.
    DEAD = "dead", pgettext_lazy("job state", "dead")
    # A person stopped it. Final.
    CANCELLED = "cancelled", pgettext_lazy("job state", "cancelled")


class Kind(TextChoices):
    """What a job runs."""

    SHELL = "shell", pgettext_lazy("job kind", "shell")
    TASK = "task", pgettext_lazy("job kind", "task")


class Ending(TextChoices):
    """How one attempt ended; the `outcome` column of an attempt and of its job."""

    COMPLETED = "completed", pgettext_lazy("attempt outcome", "completed")
    FAILED = "failed", pgettext_lazy("attempt outcome", "failed")
    TIMED_OUT = "timed_out", pgettext_lazy("attempt outcome", "timed out")
    # A person asked for it to stop.
    CANCELLED = "cancelled", pgettext_lazy("attempt outcome", "cancelled")
    # Its worker or supervisor died.
    LOST = "lost", pgettext_lazy("attempt outcome", "lost")
    # Given back at no charge by a supervisor that is stopping.
    RELEASED = "released", pgettext_lazy("attempt outcome", "released")


TRANSITIONS: dict[State, frozenset[State]] = {
    State.SCHEDULED: frozenset({State.PENDING, State.CANCELLED}),
    State.PENDING: frozenset({State.PROCESSING, State.SCHEDULED, State.CANCELLED}),
    State.PROCESSING: frozenset({State.COMPLETED, State.FAILED, State.DEAD, State.CANCELLED, State.PENDING}),
    State.FAILED: frozenset({State.PENDING, State.CANCELLED}),
    State.COMPLETED: frozenset({State.PENDING, State.SCHEDULED}),
    State.DEAD: frozenset({State.PENDING, State.SCHEDULED}),
    State.CANCELLED: frozenset({State.PENDING, State.SCHEDULED}),
}

WAITING = frozenset({State.SCHEDULED, State.PENDING, State.FAILED})  # may be cancelled without asking a worker
DEFERRED = frozenset({State.SCHEDULED, State.FAILED})  # promoted to pending when run_at comes
FINAL = frozenset({State.COMPLETED, State.DEAD, State.CANCELLED})  # may be requeued, deleted, pruned

# What a person may take back within a minute, where nothing has happened since: a requeue, and a cancellation.
UNDONE: dict[State, frozenset[State]] = {State.PENDING: FINAL, State.CANCELLED: WAITING}
