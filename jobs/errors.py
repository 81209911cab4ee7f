"""The refusals a caller may expect. Every interface translates `QueueError` once, at its edge.

`exit_code` is what the command line ends with (the table in docs/reference/commands.md).
"""

from typing import ClassVar


class QueueError(Exception):
    """The queue refused."""

    exit_code: ClassVar[int] = 1


class InvalidInput(QueueError):
    """A value is wrong. The message names the field and the remedy; nothing was stored."""

    exit_code = 2

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class NotFound(QueueError):
    """There is no such job, queue or supervisor."""

    exit_code = 4


class JobExists(QueueError):
    """A job with that id exists; it was left as it is."""

    exit_code = 5


class WrongState(QueueError):
    """The job or queue is in a state in which that cannot be done."""

    exit_code = 5


class DatabaseUnavailable(QueueError):
    """The database is busy or unreachable. Nothing was changed; it is safe to repeat the command."""

    exit_code = 75
