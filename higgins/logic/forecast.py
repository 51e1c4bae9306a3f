"""What would become of a capsule if it were asked for now: how many hosts would take it and, where none would, what the least is that has to change."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from higgins.logic.placement import Homes, Ratios, Refused, Rule, first_broken, room
from higgins.model.capsule import CapsuleSpec, Resources
from higgins.model.host import Host

_WISHES = (Rule.HOST, Rule.AVAILABILITY_ZONE, Rule.RUNTIME)
_WISH = 0.5
"""Giving up a wish weighs as much as giving up half of an amount: less of something is proposed first, but not next to nothing of it."""
_STEPS: Mapping[Rule, int] = {Rule.CPU: 1000, Rule.MEMORY: 1, Rule.DISK: 1}
"""Into how many parts a unit of each amount is divided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing to be asked for otherwise."""

    field: Rule
    """Each of these is named as the rule that it has to do with. Amounts are those of all containers of a capsule together."""
    before: str | float
    after: float | None
    """None: not to be asked for at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What hosts say to a capsule. No promise: somebody else may be quicker. Names no host but the one that was asked for."""

    claim: Resources
    runtime: str | None
    availability_zone: str | None
    fitting: int
    """So many hosts would take it."""
    refused: Mapping[Rule, int]
    """How many others break which rule first."""
    change: Change | None
    """The smallest after which a host would take it; None where none is needed, and where no single one helps."""

    @property
    def hosts(self) -> int:
        """How many were looked at."""
        return self.fitting + sum(self.refused.values())

    @property
    def refusal(self) -> Refused | None:
        """What would be said if it were asked for."""
        return None if self.fitting else Refused(rules=self.refused)


def of(
    hosts: Sequence[Host], spec: CapsuleSpec, ratios: Ratios, *, least: Resources, homes: Homes = frozenset()
) -> Forecast:
    """`least` is the smallest amount of each that can be asked for, `homes` are the hosts on which its volumes lie."""
    claim = spec.claim()
    broken = [first_broken(host, spec, claim, ratios, homes) for host in hosts]
    return Forecast(
        claim=claim,
        runtime=spec.runtime,
        availability_zone=spec.availability_zone,
        fitting=broken.count(None),
        refused=dict(Counter(rule for rule in broken if rule is not None)),
        change=None if None in broken else smallest_change(hosts, spec, ratios, least=least, homes=homes),
    )


def smallest_change(
    hosts: Sequence[Host], spec: CapsuleSpec, ratios: Ratios, *, least: Resources, homes: Homes = frozenset()
) -> Change | None:
    """The one that gives up the smallest share of what is asked for, so that a host takes the rest; the same for the same hosts."""
    claim = spec.claim()
    weighed: list[tuple[float, Change]] = []
    for amount in _STEPS:
        asked = getattr(claim, amount)
        most = max((_most(host, spec, claim, amount, ratios, homes) for host in hosts), default=0)
        if asked and most and most >= getattr(least, amount):
            weighed.append(((asked - most) / asked, Change(field=amount, before=asked, after=most)))
    for wish in _WISHES:
        named = getattr(spec, wish)
        without = _with(spec, wish, None)
        if named is not None and any(first_broken(host, without, claim, ratios, homes) is None for host in hosts):
            weighed.append((_WISH, Change(field=wish, before=named, after=None)))
    return min(weighed, key=lambda each: each[0])[1] if weighed else None


def _most(host: Host, spec: CapsuleSpec, claim: Resources, amount: Rule, ratios: Ratios, homes: Homes) -> float:
    """As much as this host takes with everything else as asked; 0 if something else is in the way."""
    if first_broken(host, spec, _with(claim, amount, 0), ratios, homes) is not None:
        return 0
    parts = _STEPS[amount]
    free = getattr(room(host, ratios), amount) - getattr(host.allocated, amount)
    count = max(0, math.ceil(free * parts))
    # The rule has the last word on sums of fractions.
    while count and first_broken(host, spec, _with(claim, amount, _unit(count, parts)), ratios, homes) is not None:
        count -= 1
    return _unit(count, parts)


def _unit(count: int, parts: int) -> float:
    return count if parts == 1 else count / parts


def _with(value: Any, field: Rule, wanted: float | None) -> Any:
    return replace(value, **{field.value: wanted})
