"""The moment at which tests happen. Nothing of the queue reads a clock of its own, so this is all the time there is."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DAY_SECONDS = 86_400.0


def after(*, seconds: float) -> datetime:
    """Return the moment that many seconds after NOW; before it, if they are negative."""
    return NOW + timedelta(seconds=seconds)
