"""Sizes: as people type and read them."""

import re

from higgins import errors

_POWERS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_UNITS = ("B", "kB", "MB", "GB", "TB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")


def mebibytes(text: str) -> int:
    """Of `512m` or `1g`; a plain number is bytes, as docker has it. Raises Invalid."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise errors.Invalid(f"{text!r} is no size: it looks like 512m or 1g")
    count: float = float(found[1]) * 1024 ** _POWERS[found[2].lower()]
    if not found[2] and count < 1024 * 1024:
        raise errors.Invalid(f"{text!r} is so many bytes, less than one mebibyte: did you mean {found[1]}m?")
    return max(1, round(count / 1024**2))


def decimal(count: float) -> str:
    """Bytes as a disk's maker counts them: `12.3MB`."""
    return _in(count, 1000, _UNITS)


def binary(count: float) -> str:
    """Bytes as memory is counted: `12.3MiB`."""
    return _in(count, 1024, _BINARY)


def _in(count: float, step: int, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if count < step:
            return f"{count:.4g}{unit}"
        count /= step
    return f"{count:.4g}{units[-1]}"
