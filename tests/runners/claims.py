"""Claims as a supervisor would hand them to a worker, signed with the settings of the process that makes them."""

import json
from datetime import UTC, datetime
from typing import Any

from jobs import signing
from jobs.outcome import Claim
from jobs.states import Kind

SIGNED = ("id", "command", "uses_shell", "cwd", "env")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def signed(command: str, **fields: Any) -> Claim:
    """Return the claim of a shell job."""
    values: dict[str, Any] = {"id": "job1", "command": command, "uses_shell": True, "cwd": None, "env": None} | fields
    signature = signing.sign(**{name: values[name] for name in SIGNED})
    times = {"enqueued_at": MOMENT, "run_at": MOMENT, "claimed_at": MOMENT}
    defaults: dict[str, Any] = {"supervisor_id": 3, "fence": 7, "attempt": 2, "kind": Kind.SHELL, "queue": "letters"}
    env = values.pop("env")
    return Claim(**(defaults | times | {"signature": signature, "env_json": env and json.dumps(env)} | values))
