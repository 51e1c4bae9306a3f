"""Moments and spans of time: as the API writes them, and as people read and type them."""

import re
from datetime import UTC, datetime

from higgins import errors

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(rf"(\d+\.?\d*|\.\d+)({'|'.join(_UNITS)})", re.ASCII)
_SPAN = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(Z|[+-]\d\d:\d\d)", re.ASCII)
"""A day somewhere else."""


def read(text: str | None) -> float | None:
    """Seconds since the epoch, of a moment as the API has it: UTC, with a space or a T."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()


def span(text: str) -> float:
    """Seconds, of `90`, `30s` or `1m30s`. Raises Invalid."""
    if text.replace(".", "", 1).isdigit() and text.isascii():
        return float(text)
    if not _SPAN.fullmatch(text):
        raise errors.Invalid(f"{text!r} is no span of time: it looks like 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def moment(text: str, now: float) -> float:
    """Seconds since the epoch, of `10m` (ago), `-10m` (to come), seconds since the epoch, or a date with or without time. Raises Invalid."""
    if text.replace(".", "", 1).isdigit() and text.isascii():
        return float(text)
    if _SPAN.fullmatch(text.removeprefix("-")):
        ago = span(text.removeprefix("-"))
        return now + ago if text.startswith("-") else now - ago
    try:
        found = datetime.fromisoformat(_DAY.sub(r"\1T00:00\2", text) if _DAY.fullmatch(text) else text)
    except ValueError as error:
        raise errors.Invalid(f"{text!r} is no moment: it looks like 10m, 2026-11-21T13:00 or 2026-11-21") from error
    # What a person types without a zone is the time on the person's clock.
    return found.timestamp()


def lasted(seconds: float) -> str:
    """About how long, as people say it: `5 seconds`, `3 hours`."""
    count = max(0, int(seconds))
    if count < 1:
        return "less than a second"
    for unit, size, enough in (("second", 1, 120), ("minute", 60, 120), ("hour", 3600, 48), ("day", 86400, 14)):
        if count < size * enough:
            number = count // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    weeks = count // (7 * 86400)
    return f"{weeks} weeks" if weeks < 105 else f"{weeks // 52} years"


def ago(seconds: float) -> str:
    """The same as a distance."""
    return f"{lasted(seconds)} ago"


def took(seconds: float) -> str:
    """How long something took, with a digit more than people say it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s"
    return lasted(seconds)


def clock(seconds: float) -> str:
    """The time of day here, with the date if it was not today."""
    moment = datetime.fromtimestamp(seconds).astimezone()
    today = datetime.now().astimezone().date()
    return f"{moment:%H:%M:%S}" if moment.date() == today else f"{moment:%Y-%m-%d %H:%M:%S}"
