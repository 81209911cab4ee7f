"""Waiting for what another process or thread does, with a deadline instead of luck."""

import time
from collections.abc import Callable

LOOK_SECONDS = 0.005


def wait_until(condition: Callable[[], object], timeout_seconds: float = 10.0) -> None:
    """Return as soon as the condition is true; fail when it is not true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"not true within {timeout_seconds:g} s: {condition}")
        time.sleep(LOOK_SECONDS)
