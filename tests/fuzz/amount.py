"""How much is tried: a portion in every run of the tests, all of it where `FUZZ` says how many (`make fuzz`)."""

import os

FUZZ = int(os.environ.get("FUZZ", "0"))
SEED = 20_261_124


def portion(usual: int, *, share: float = 1.0) -> int:
    """Return how many inputs to try: `usual`, or that share of FUZZ."""
    return int(FUZZ * share) if FUZZ else usual
