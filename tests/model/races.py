"""Two operations at once, on two connections: the second in the middle of the first, before each of its statements.

What came of it must be what one of the two orders gives, in the reference model.
"""

import copy
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from django.db import Error, connections

from jobs import sql
from jobs.database import connection
from tests.model.real import Real
from tests.model.reference import Reference

BLOCKED_SECONDS = 0.05  # an operation that has not ended by then waits for the other one
TRIES = 20
PAUSE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of the model and of the queue, with its arguments."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def on(self, side: Reference | Real) -> Any:
        return getattr(side, self.name)(**copy.deepcopy(self.arguments))


class Second:
    """A thread with a connection of its own, which stays open from race to race."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)

    def start(self, action: Callable[[], Any]) -> "Future[Any]":
        """Start it, and wait until it ends or waits for a lock."""
        future = self._pool.submit(action)
        wait([future], BLOCKED_SECONDS)
        return future

    def close(self) -> None:
        self._pool.submit(connections.close_all).result()
        self._pool.shutdown()


def race(first: Operation, second: Operation, real: Real, thread: Second, *, before: int) -> tuple[Any, Any] | None:
    """Run both; the second begins before statement number `before` of the first. None: it has not so many."""
    started: list[Future[Any]] = []
    count = 0

    def interrupt(execute: Callable[..., Any], *statement: Any) -> Any:
        nonlocal count
        count += 1
        if count == before and not started:
            started.append(thread.start(lambda: _patiently(lambda: second.on(real))))
        return execute(*statement)

    with connection.execute_wrapper(interrupt):
        result = _patiently(lambda: first.on(real))
    return (result, started[0].result()) if started else None


def _patiently(action: Callable[[], Any]) -> Any:
    """Do it; again, as a supervisor does, where the database undid it for the sake of the other one."""
    for _ in range(TRIES):
        try:
            return action()
        except Error as error:
            if not sql.for_connection(connection).is_busy(error):
                raise
        time.sleep(PAUSE_SECONDS)
    return action()


@dataclass(frozen=True, slots=True)
class Story:
    """One order of both operations, and where it leads in the model."""

    model: Reference
    results: tuple[Any, Any]


def stories(model: Reference, first: Operation, second: Operation) -> Iterator[Story]:
    """Yield what each of the two orders gives.

    What an operation may say differently when it is not alone is in `_variants`.
    """
    order = [first, second]
    for extras in itertools.product(*(_variants(model, operation) for operation in order)):
        for places in ((0, 1), (1, 0)):
            told = copy.deepcopy(model)
            results: list[Any] = [None, None]
            for place in places:
                operation = Operation(order[place].name, order[place].arguments | extras[place])
                results[place] = operation.on(told)
            yield Story(told, (results[0], results[1]))


def _variants(model: Reference, operation: Operation) -> list[dict[str, Any]]:
    """Return arguments of the model alone, for what it may do beside another one.

    A claim passes over what another has locked at that moment, instead of waiting: it is left for the next claim. A
    verb on all jobs looks first, and then changes those that it saw and that are still in one of its states.
    """
    if operation.name == "verb_on_all":
        return [{}, {"among": model.matching(operation.arguments["verb"], operation.arguments["queue_name"])}]
    if operation.name != "promote" and operation.arguments.get("room", 0) == 0:
        return [{}]
    ids = sorted(model.claimable(operation.arguments["now"]))
    sizes = range(len(ids) + 1)
    return [{"passed_over": chosen} for size in sizes for chosen in itertools.combinations(ids, size)]
