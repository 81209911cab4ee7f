"""Durations as people write them: `90`, `90s`, `10m`, `1h30m`, `2d`. Used wherever a length of time is given."""

import re

UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[dhms])")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
EXAMPLES = "90s, 10m, 1h30m or 2d"


def parse(text: str) -> float:
    """Return the seconds that `text` means; a bare number is seconds. Raise ValueError if it means none."""
    compact = text.strip().lower().replace(" ", "")
    if len(compact) > 32:  # longer than any duration a person writes, shorter than any that is slow to match
        raise ValueError("not a duration")
    if _NUMBER.fullmatch(compact):
        return float(compact)
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError("not a duration")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def text(seconds: float) -> str:
    """Return `seconds` as a person would write it, exact to the millisecond: 5400 is `1h30m`."""
    if seconds < 0:
        return f"-{text(-seconds)}"
    milliseconds = round(seconds * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    if milliseconds or not parts:
        parts.append(f"{milliseconds / 1000:g}s")
    return "".join(parts)
