"""Quantities: amounts as Kubernetes writes them, such as 500m, 128Mi and 1G."""

import math
import re
from fractions import Fraction

from higgins import errors

_QUANTITY = re.compile(
    r"(?P<number>\+?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30}))(?P<unit>[KMGTPE]i|[numkMGTPE]?|[eE][+-]?\d{1,2})", re.ASCII
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_MEBIBYTE = 1024**2


def cores(given: object) -> float:
    """Of `500m`, `2` or 0.5, in thousandths, rounded up. Raises Invalid."""
    return math.ceil(_amount(given) * 1000) / 1000


def mebibytes(given: object) -> int:
    """Of bytes, as `128Mi`, `1G` or 134217728; rounded up. Raises Invalid, for less than one as well."""
    count = _amount(given)
    if 0 < count < _MEBIBYTE:
        raise errors.Invalid(f"{given!r} is less than one mebibyte; 500Mi is 500 of them, and 500m half a byte")
    return math.ceil(count / _MEBIBYTE)


def _amount(given: object) -> Fraction:
    found = None if isinstance(given, bool) else _QUANTITY.fullmatch(str(given))
    if found is None:
        raise errors.Invalid(f"{given!r} is no quantity: it looks like 500m, 2, 128Mi or 1G")
    number, unit = Fraction(found["number"]), found["unit"]
    if unit in _BINARY:
        return number * (1 << 10 * _BINARY[unit])
    power = _DECIMAL[unit] if unit in _DECIMAL else int(unit[1:])
    return number * Fraction(f"1e{power}")
