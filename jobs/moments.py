"""Moments as people read them. Pure; the interfaces and `stats` share it, so a time looks the same everywhere."""

from datetime import UTC, datetime

from django.utils import timezone

from jobs import durations

MINUTE_SECONDS, DAY_SECONDS = 60, 86_400


def iso(moment: datetime) -> str:
    """Return `moment` in UTC for machines: `2026-11-24T05:09:00.250000Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def absolute(moment: datetime) -> str:
    """Return `moment` in the site's time zone, to the second: `2026-11-24 05:09:00 UTC`."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")


def relative(moment: datetime, *, now: datetime) -> str:
    """Return how far `moment` is from `now`: `3m12s ago`, `in 2h5m`, `now`."""
    seconds = (moment - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {rough(seconds)}" if seconds > 0 else f"{rough(-seconds)} ago"


def rough(seconds: float) -> str:
    """Return a duration in at most two units, which is all a glance can use: `812ms`, `4.2s`, `3m12s`, `2d4h`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < MINUTE_SECONDS * 60:
        return durations.text(int(seconds))
    if seconds < DAY_SECONDS:
        return durations.text(int(seconds // 60) * 60)
    return durations.text(int(seconds // 3_600) * 3_600)
