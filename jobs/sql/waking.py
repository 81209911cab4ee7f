"""How a waiting supervisor learns that there may be work: what it listens to, and when it looks by itself."""

import time
from collections.abc import Callable
from typing import Any, Protocol


class DatabaseReplacedError(Exception):
    """Another database has taken the place of the one that is open."""


class Waker(Protocol):
    """One supervisor's way to learn of other people's commits. Wrong in one direction only: it may wake too often."""

    def sources(self) -> list[Any]:
        """Return what becomes readable when something may have happened."""

    def patience_seconds(self) -> float:
        """Return how long to wait at most before asking `has_news` again."""

    def has_news(self) -> bool:
        """Return whether another connection may have committed something that matters since this was last asked.

        Raise DatabaseReplacedError, or what the database raises.
        """

    def renew(self) -> None:
        """See to it that nothing has gone deaf. Called about once a second."""

    def close(self) -> None: ...


class Poller:
    """Looks again and again: less often while nothing comes, and less and less while what is there is not for us.

    A look is one row of one index, but it wakes two processes: ten a second cost a third of a percent of a core.
    """

    FIRST_SECONDS = 0.025
    EMPTY_SECONDS, EMPTY_GROWTH = 0.1, 1.004  # at most while nothing is pending; reached within twenty seconds
    USELESS_SECONDS, USELESS_GROWTH = 0.25, 2.0  # … while something is, in a queue that is paused or not ours

    # InnoDB walks every row that another transaction has inserted and not committed. Looks that cost milliseconds, of
    # dozens of supervisors, left none of the server to that transaction.
    CHEAP_SECONDS = 0.002  # a look that costs no more is not dear, only late on a busy machine
    SHARE, COST_PAUSE_SECONDS = 0.02, 1.0  # of the time for what a look costs beyond that; the pause for it at most

    def __init__(self, is_anything_pending: Callable[[], bool]) -> None:
        self._is_anything_pending = is_anything_pending
        self._pause_seconds = self.FIRST_SECONDS
        self._has_found = False
        self._next_look = 0.0

    def sources(self) -> list[Any]:
        return []

    def patience_seconds(self) -> float:
        return max(0.0, self._next_look - time.monotonic())

    def has_news(self) -> bool:
        now = time.monotonic()
        if now < self._next_look:
            return False
        found = self._is_anything_pending()
        if found != self._has_found:
            self._pause_seconds = self.FIRST_SECONDS
        elif found:
            self._pause_seconds = min(self.USELESS_SECONDS, self.USELESS_GROWTH * self._pause_seconds)
        else:
            self._pause_seconds = min(self.EMPTY_SECONDS, self.EMPTY_GROWTH * self._pause_seconds)
        self._has_found = found
        cost_seconds = time.monotonic() - now
        dear_seconds = min(self.COST_PAUSE_SECONDS, (cost_seconds - self.CHEAP_SECONDS) / self.SHARE)
        self._next_look = now + max(self._pause_seconds, dear_seconds)
        return found

    def renew(self) -> None:
        pass

    def close(self) -> None:
        pass
