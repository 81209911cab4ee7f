"""What other jobs in the table cost this queue: finished, pending and future ones, against an empty table.

Each crowd has a database of its own, and they alternate in each round. What is timed is in `crowd.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.catalogue import System
from benchmarks.session import Session
from benchmarks.stores import Store

EMPTY = "empty"
CROWDS = ("finished", "pending", "future")
# The site that comes with the queue: it has the admin.
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "queuectl_site.settings",
    "DATABASE_URL": "{url}",
    "LOG_LEVEL": "ERROR",
    "ALLOWED_HOSTS": "testserver",
}
Figures = Mapping[str, float]


def measure(
    system: System, store: Store, scratch: Path, *, rows: Sequence[int], rounds: int
) -> Iterator[tuple[str, Figures]]:
    """Yield the case, such as "1000000 pending", and its milliseconds: once for each round."""
    environment = ENVIRONMENT | {"QUEUECTL_HOME": str(scratch / "home")}
    with ExitStack() as stack:
        sessions: dict[str, Session] = {}
        for case in (EMPTY, *(f"{count} {crowd}" for count in rows for crowd in CROWDS)):
            session = Session(system, store, scratch, place=f"_{len(sessions)}", environment=environment)
            sessions[case] = stack.enter_context(session)
            if case != EMPTY:
                count, crowd = case.split()
                _ask(session, "fill", kind=crowd, rows=int(count))
            store.settle(session.url)
        for session in sessions.values():
            _ask(session, "costs", prefix="warm-up")
        for number in range(rounds):
            for case, session in sessions.items():
                yield case, _ask(session, "costs", prefix=f"round{number}")


def _ask(session: Session, function: str, **arguments: object) -> Figures:
    figures: Figures = session.ask("call", module="benchmarks.crowd", function=function, **arguments)
    return figures
