"""The workers of a supervisor as a whole: kept at their number, listened to, replaced when worn or dead."""

import logging
import selectors
import time
from collections.abc import Callable, Iterator
from typing import Any

from jobs import processes
from jobs.supervisor.nursery import Nursery
from jobs.supervisor.options import Options
from jobs.supervisor.pool import Handle

logger = logging.getLogger("jobs.supervisor")

RESTART_SECONDS = (0.1, 10.0)  # pause before a new worker after a second death in a row, and after many
DEATH_SECONDS = 5.0  # for a worker that was killed to be gone; only one that is stuck in the kernel takes longer
STUCK_SECONDS = 0.1  # a job that runs longer keeps those behind it waiting: they are called back

Message = dict[str, Any]


class Team:
    def __init__(self, options: Options, *, nursery: Nursery, announce: Callable[[str], None]) -> None:
        self._options = options
        self._nursery = nursery
        self._announce = announce
        self._selector = selectors.DefaultSelector()
        self._deaths = 0  # since a worker last finished a job
        self._next_start = 0.0
        self.handles: list[Handle] = []

    def listen_to(self, bell: Any) -> None:
        """Let `listen` return as soon as `bell` is readable."""
        self._selector.register(bell, selectors.EVENT_READ)

    def listen(self, seconds: float) -> Iterator[tuple[Handle, list[Message]]]:
        """Wait that long at most, and yield what workers say; the last word of a dead one is `died`, its exit code."""
        for key, events in self._selector.select(seconds):
            handle = key.data
            if handle not in self.handles:
                continue  # the bell, or a worker that died and was heard to the end a moment ago
            if key.fileobj is handle.channel:
                yield handle, self._hear(handle, events)
            elif handle.process.look():
                yield handle, self._last_words(handle)

    def _hear(self, handle: Handle, events: int) -> list[Message]:
        if events & selectors.EVENT_WRITE:
            handle.channel.flush()
        messages = self._received(handle) if events & selectors.EVENT_READ else []
        if messages is None:
            handle.kill()  # it may live on without its channel; its end is heard from its sentinel
            self._selector.unregister(handle.channel)
            return []
        for message in messages:
            self._note(handle, message)
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if handle.channel.has_unsent else 0)
        self._selector.modify(handle.channel, wanted, handle)
        return messages

    def _received(self, handle: Handle) -> list[Message] | None:
        """Return what has arrived; None when no more will."""
        try:
            return handle.channel.receive()
        except EOFError:
            return None

    def _last_words(self, handle: Handle) -> list[Message]:
        """A worker died: what it said before is still true; what its jobs left running is ended."""
        handle.kill()  # in case only its nursery died
        handle.process.join_orphan(DEATH_SECONDS)  # or what its jobs left would not be an orphan yet
        processes.kill_orphans()
        messages = handle.channel.receive_rest()
        self.drop(handle)
        if not handle.process.is_orphan:
            self._note_death()
        return [*messages, {"died": handle.process.exit_code}]

    def _note_death(self) -> None:
        """Wait longer from one death in a row to the next. What dies with its nursery, all at once, does not count."""
        self._deaths += 1
        first, last = RESTART_SECONDS
        pause_seconds = 0 if self._deaths == 1 else min(last, first * 2.0 ** min(self._deaths, 10))
        self._next_start = time.monotonic() + pause_seconds

    def _note(self, handle: Handle, message: Message) -> None:
        if "ready" in message:
            handle.note_ready(message["ready"])
            self._announce(f"Worker (PID: {handle.pid}) started. Watching for jobs...")
        elif "ended" in message:
            self._deaths = 0
            handle.ended_count += 1
            handle.rss_bytes = message.get("rss_bytes", handle.rss_bytes)

    def ready(self) -> list[Handle]:
        return [handle for handle in self.handles if handle.is_ready]

    def is_anything_held(self) -> bool:
        return any(handle.held for handle in self.handles)

    def running_count(self) -> int:
        return sum(len(handle.running()) for handle in self.handles)

    def deadlines(self) -> list[float]:
        """Return the monotonic times at which something is due here."""
        moments = [held.kill_at for handle in self.handles for held in handle.running() if held.kill_at]
        if any(handle.waiting_count and not handle.is_recalled for handle in self.handles):
            moments.append(time.monotonic() + STUCK_SECONDS)
        return moments

    def starts(self) -> list[float]:
        """Return the monotonic time from which on a missing worker may be started; none if no worker is missing."""
        return [self._next_start] if len(self.handles) < self._options.worker_count else []

    def renew(self) -> None:
        """Let worn workers go once they hold nothing, and start what is missing."""
        for handle in self.ready():
            handle.is_leaving = self._is_worn(handle)
        for handle in [handle for handle in self.handles if handle.is_leaving and not handle.held]:
            self.drop(handle)
        while time.monotonic() >= self._next_start and len(self.handles) < self._options.worker_count:
            self._start()

    def _is_worn(self, handle: Handle) -> bool:
        options = self._options
        if handle.has_interrupted:
            return True
        if options.recycle_jobs is not None and handle.ended_count >= options.recycle_jobs:
            return True
        return options.recycle_mb is not None and handle.rss_bytes > options.recycle_mb * 1024 * 1024

    def _start(self) -> None:
        handle = Handle(self._nursery)
        self.handles.append(handle)
        self._selector.register(handle.channel, selectors.EVENT_READ, handle)
        self._selector.register(handle.process, selectors.EVENT_READ, handle)

    def drop(self, handle: Handle) -> None:
        """Let go of a worker that is dead, or that holds nothing: it then exits by itself."""
        self.handles.remove(handle)
        for fileobj in (handle.channel, handle.process):
            if fileobj in self._selector.get_map():
                self._selector.unregister(fileobj)
        handle.close()

    def mind_jobs(self) -> None:
        """Kill workers that did not end a job in time; call back what waits behind a long job."""
        now = time.monotonic()
        for handle in self.handles:
            handle.kill_if_overdue(now)
            if handle.is_stuck(now=now, seconds=STUCK_SECONDS):
                handle.recall()

    def kill_all(self, reason: str) -> None:
        """Kill every worker; each is heard of as `died`, and its jobs as ended for that reason."""
        for handle in self.handles:
            handle.kill(reason)

    def wipe_out(self) -> None:
        """End every worker and all that their jobs started, and forget what they held."""
        for handle in list(self.handles):
            handle.kill()
            handle.process.join(DEATH_SECONDS)
            self.drop(handle)
        processes.kill_orphans()

    def dismiss(self, seconds: float) -> None:
        """Let every worker go; kill those that have not gone in time. None can be started after that."""
        for handle in self.handles:
            handle.channel.close()
        deadline = time.monotonic() + seconds
        for handle in self.handles:
            handle.process.join(max(0.0, deadline - time.monotonic()))
            handle.kill()
            handle.close()
        self._nursery.end()
        processes.kill_orphans()
