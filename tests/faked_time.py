"""Another time for one module. Threads that other tests left, such as the alarm's, go on by the real one."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest


def fake_time(monkeypatch: pytest.MonkeyPatch, module: str, **functions: Callable[..., Any]) -> None:
    """Let `module`, a dotted path, find these functions in its `time`, beside the rest of the real one."""
    monkeypatch.setattr(f"{module}.time", SimpleNamespace(**{**vars(time), **functions}))
