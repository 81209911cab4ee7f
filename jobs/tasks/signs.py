"""What a task raises to say how it wants to go on, and what is raised in a task that must end."""


class RunLater(Exception):
    """Raised by a task: run me again after that many seconds. It spends no attempt, for the first twenty times."""

    def __init__(self, seconds: float, reason: str = "asked to be run again later") -> None:
        super().__init__(reason)
        self.seconds = seconds


class NeverRetry(Exception):
    """Raised by a task: I failed, and trying again is of no use. It goes to the Dead Letter Queue."""


class CancelJob(Exception):
    """Raised by a task: there is nothing left to do for me; count me as cancelled, not as failed."""


class Stopped(BaseException):
    """Raised in a task that must end. Not an Exception, so that `except Exception` does not keep the task going.

    A task may catch it to clean up. One that goes on after the grace time is ended with its worker.
    """


class TimedOut(Stopped):
    """The attempt has run for as long as it may."""


class Cancelled(Stopped):
    """A person asked for the job to be cancelled."""


class Released(Stopped):
    """The worker stops; the job will be run again elsewhere, and no attempt is spent."""


class Lost(Exception):
    """Names, in the errors of a result, an attempt whose worker or supervisor died."""
