"""What many measured values come to."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Values of one kind, in the unit they were taken in."""

    median: float
    p95: float
    least: float
    most: float
    count: int


def of(values: Sequence[float]) -> Figures:
    """Raises ValueError if there are none."""
    return Figures(
        median=percentile(values, 50),
        p95=percentile(values, 95),
        least=min(values),
        most=max(values),
        count=len(values),
    )


def since(began: float) -> float:
    """Milliseconds from that moment of the performance counter."""
    return (time.perf_counter() - began) * 1000


def compared(ours: Sequence[float], floor: Sequence[float]) -> Sequence[str]:
    """Four cells of a table: both as median (95th percentile), the difference of the medians, and how many times the floor."""
    one, other = of(ours), of(floor)
    return (
        *(f"{each.median:.0f} ({each.p95:.0f})" for each in (one, other)),
        f"{one.median - other.median:+.0f}",
        f"{ratio(ours, floor):.2f}",
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Between two values, what lies in proportion between them: the median of 1 and 2 is 1.5."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below, above = math.floor(place), math.ceil(place)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ratio(ours: Sequence[float], floor: Sequence[float]) -> float:
    """How many times the floor: the median over pairs taken one after the other, so that a machine that is slow for a while is slow for both."""
    return percentile([one / other for one, other in zip(ours, floor, strict=True)], 50)
