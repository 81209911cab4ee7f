"""A process that runs one command for a test. A script, because importing the package around it needs models.

Reads a JSON object from standard input: `claim`, `keys` to verify it with, `grace_seconds`. Prints the outcome.
"""

import json
import sys
from contextlib import suppress

from django.conf import settings

from jobs import processes
from jobs.outcome import Claim
from jobs.runners import Stop, shell


def main() -> None:
    order = json.load(sys.stdin)
    key, *fallback_keys = order["keys"]
    settings.configure(SECRET_KEY=key, SECRET_KEY_FALLBACKS=fallback_keys)
    processes.become_subreaper()
    outcome = shell.run(
        Claim.from_wire(order["claim"]),
        stop=Stop(),
        watch=lambda _pid, _output: None,
        grace_seconds=order["grace_seconds"],
    )
    json.dump(outcome.to_wire(), sys.stdout)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # the test has its own
        main()
