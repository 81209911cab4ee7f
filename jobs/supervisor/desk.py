"""What lies between the two threads of a supervisor. Each side leaves things for the other and rings its bell."""

import os
import select
import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any

from jobs.outcome import Claim, Output
from jobs.queue import Ended

Key = tuple[str, int]  # id and fence: one claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An attempt that has been running for a while, as its worker describes it."""

    claim: Claim
    pid: int
    started_at: datetime
    output: Output


@dataclass(slots=True, kw_only=True)
class Wishes:
    """What the control thread wants of the store at this moment."""

    room: int = 0  # how many more jobs the workers can use
    is_hungry: bool = False  # a worker has nothing to do: record and claim without delay
    is_closing: bool = False  # record what is left, and end
    workers: list[dict[str, Any]] = field(default_factory=list)  # for the supervisor's row


@dataclass(slots=True, kw_only=True)
class News:
    """What the store tells the control thread."""

    claims: list[Claim] = field(default_factory=list)
    cancels: list[Key] = field(default_factory=list)
    stop_grace_seconds: float | None = None
    is_stop_asked: bool = False
    is_lease_lost: bool = False


class Desk:
    """Shared by two threads; every method may be called from either."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: list[Ended] = []
        self._running: dict[Key, Running] = {}
        self._wishes = Wishes()
        self._news = News()
        self._control_bell = _bell()
        self._store_bell = _bell()
        self.renewed = time.monotonic()  # when the last heartbeat that was stored began
        self.unrecorded_since = 0.0  # monotonic time of the oldest end that waits to be recorded
        self.fresh_start = threading.Event()  # set by the control thread when a lost lease has been cleaned up after
        self.is_dry = False  # the last look found nothing due, after everything that ended was recorded

    # The control thread's side.

    def fileno(self) -> int:
        """Readable when there is news."""
        return self._control_bell[0]

    def wait_for_news(self, seconds: float) -> None:
        """Wait that long at most for the other side to ring."""
        _wait([self], seconds)

    def put_ended(self, ended: list[Ended]) -> None:
        if not ended:
            return
        with self._lock:
            if not self._ended:
                self.unrecorded_since = time.monotonic()
                _ring(self._store_bell)
            self._ended += ended
            for end in ended:
                self._running.pop(end.claim.key, None)
            self.is_dry = False

    def put_running(self, running: Running) -> None:
        """Describe a running attempt; what was said of it before and not yet stored is out of date."""
        with self._lock:
            self._running[running.claim.key] = running

    def wish(self, wishes: Wishes) -> None:
        """Replace the wishes. Room for claims that lie here already is taken."""
        with self._lock:
            wishes.room -= len(self._news.claims)
            is_more = wishes.room > self._wishes.room or wishes.is_hungry or wishes.is_closing
            self._wishes = wishes
            if is_more:
                _ring(self._store_bell)

    def take_news(self) -> News:
        with self._lock:
            news, self._news = self._news, News()
            _silence(self._control_bell)
            return news

    @property
    def has_unrecorded(self) -> bool:
        return bool(self._ended)

    # The store thread's side.

    def wait(self, seconds: float, *others: Any) -> None:
        """Wait that long at most for the other side to ring, or for one of `others` to become readable."""
        if _wait([self._store_bell[0], *others], seconds):
            _silence(self._store_bell)

    @property
    def wishes(self) -> Wishes:
        return self._wishes

    def look_at_ended(self, limit: int, *, max_characters: int) -> list[Ended]:
        """Return what is to be recorded, and no more text than that; but always one end, however long.

        It stays on the desk until `clear_ended`, so that no failure loses it.
        """
        with self._lock:
            ended = self._ended[:limit]
        lengths = accumulate(end.outcome.character_count if end.outcome else 0 for end in ended)
        return ended[: max(1, bisect_right(list(lengths), max_characters))]

    def clear_ended(self, count: int) -> None:
        with self._lock:
            del self._ended[:count]
            self.unrecorded_since = time.monotonic()

    def replace_first_ended(self, end: Ended) -> None:
        with self._lock:
            self._ended[0] = end

    def return_unread_claims(self) -> None:
        """Give back the claims that the control thread, which is leaving, has not taken."""
        with self._lock:
            self._ended += [Ended(claim=claim, outcome=None) for claim in self._news.claims]
            self._news.claims = []

    def take_running(self) -> list[Running]:
        with self._lock:
            running, self._running = self._running, {}
            return list(running.values())

    def put_claims(self, claims: list[Claim]) -> None:
        """Hand over claims. The room for them is taken, so that the next turn does not fill it twice."""
        if not claims:
            return
        with self._lock:
            self.is_dry = False
            self._news.claims += claims
            self._wishes.room -= len(claims)
            self._wishes.is_hungry = False
        self.ring()

    def put_cancels(self, cancels: list[Key]) -> None:
        with self._lock:
            self._news.cancels += cancels
        self.ring()

    def put_stop(self, grace_seconds: float | None) -> None:
        with self._lock:
            self._news.is_stop_asked = True
            self._news.stop_grace_seconds = grace_seconds
        self.ring()

    def put_lease_lost(self) -> None:
        """Say that another supervisor has taken over. What had ended before is no longer ours to record."""
        with self._lock:
            self.fresh_start.clear()
            self._news.is_lease_lost = True
            self._news.claims, self._news.cancels = [], []
            self._ended.clear()
            self._running.clear()
            self._wishes = Wishes(is_closing=self._wishes.is_closing)
        self.ring()

    def put_dry(self) -> None:
        """Say that nothing is due; unless something has ended meanwhile, which may change that."""
        with self._lock:
            if self.is_dry or self._ended:
                return
            self.is_dry = True
        self.ring()

    def ring(self) -> None:
        """Wake the control thread. Safe in a signal handler."""
        _ring(self._control_bell)


Bell = tuple[int, int]  # the ends of a pipe: one to listen to, one to ring


def _bell() -> Bell:
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    os.set_blocking(write_fd, False)
    return read_fd, write_fd


def _wait(sources: list[Any], seconds: float) -> bool:
    """Wait that long at most for one of them to be readable; return whether one is."""
    poll = select.poll()  # select() refuses descriptors above 1023, which a supervisor of many workers has
    for source in sources:
        poll.register(source, select.POLLIN)
    return bool(poll.poll(seconds * 1_000))


def _ring(bell: Bell) -> None:
    try:
        os.write(bell[1], b"\0")
    except BlockingIOError:
        pass  # full of rings already


def _silence(bell: Bell) -> None:
    try:
        os.read(bell[0], 65_536)
    except BlockingIOError:
        pass
