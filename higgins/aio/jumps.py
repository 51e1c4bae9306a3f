"""Noticing that the time of day has jumped: set by somebody, or stood still while the machine slept."""

import time
from collections.abc import Callable

_LEAST = 5.0
"""Seconds: less is a clock that is being corrected."""


class Jumps:
    """Compares the time of day with a clock that only goes forward."""

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steady = steady
        self._apart = clock() - steady()

    def since(self) -> float:
        """By how many seconds it has jumped since this was asked last, forward or, below 0, back."""
        apart = self._clock() - self._steady()
        jump, self._apart = apart - self._apart, apart
        return jump if abs(jump) >= _LEAST else 0.0
