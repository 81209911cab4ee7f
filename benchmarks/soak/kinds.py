"""The kinds of jobs of a long run, and how often each must run. A job is a number, which says its kind."""

from dataclasses import dataclass

ROUGH = "rough"  # the queue of those that end badly; a supervisor of its own serves it


@dataclass(frozen=True, slots=True)
class Kind:
    """`action` names what enqueues one, in `work.py`; `runs` is how often each must run."""

    what: str
    action: str
    runs: int = 1
    completes: bool = True


TASK = Kind("tasks", "task")
# Of a hundred jobs, how many are of each kind. A dead job is retried once and then discarded: twice its attempts.
SHARES = (
    (45, TASK),
    (8, Kind("tasks that print 1 KB", "chatty_task")),
    (18, Kind("commands", "command")),
    (6, Kind("commands that print 1 KB", "chatty_command")),
    (1, Kind("commands that print 200 KB", "loud_command")),
    (8, Kind("tasks that are due 5 to 14 s later", "later_task")),
    (8, Kind("tasks that fail once", "flaky_task", runs=2)),
    (2, Kind("tasks that always fail, with one retry", "hopeless_task", runs=4, completes=False)),
    (3, Kind("tasks that take 0.1 s", "slow_task")),
)
# The last of each hundred is one of these, in turn.
ROUGH_KINDS = (
    Kind("tasks that end their worker", "killing_task", runs=2, completes=False),
    Kind("tasks that exceed their limit of 0.5 s", "late_task", runs=2, completes=False),
    Kind("tasks that are cancelled while they run", "endless_task", completes=False),
    Kind("tasks that are cancelled before they are due", "cancelled_task", runs=0, completes=False),
)
_SLOTS = [kind for share, kind in SHARES for _ in range(share)]
assert len(_SLOTS) == 99


def kind_of(number: int) -> Kind:
    """Return the kind of a job. The kinds are mixed: 37 has no factor in common with 100."""
    slot = number * 37 % 100
    return _SLOTS[slot] if slot < len(_SLOTS) else ROUGH_KINDS[number // 100 % len(ROUGH_KINDS)]
