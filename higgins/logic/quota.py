"""What counts towards a project's quota, and what is said when that would be too much."""

from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple

from higgins.model.capsule import Capsule, Resources
from higgins.model.quota import UNLIMITED, Allowance, Belongings, Quota, Usage

MICRO = 1_000_000
BELONGINGS = tuple(each.name for each in fields(Belongings))


class _Line(NamedTuple):
    name: str
    limit: int
    used: float
    asked: float

    @property
    def over(self) -> bool:
        return self.asked > 0 and self.limit != UNLIMITED and self.used + self.asked > self.limit


def counted(capsule: Capsule) -> Usage:
    """What a capsule counts for, in whatever state it is, until it is forgotten: each of its containers, and the room that a host must have for it.

    Less of something counts only once the host has done it: until then it may turn out to be impossible, and what was there stays.
    """
    claim, former = capsule.spec.claim(), capsule.spec.former
    if former is not None and not capsule.acted_on:
        claim = claim + former.limits.beyond(claim)
    return Usage(
        containers=sum(1 for _ in capsule.spec.all()),
        memory=claim.memory,
        disk=claim.disk,
        microcores=_microcores(claim),
    )


def exceeded(quota: Quota, more: Usage) -> tuple[str, ...]:
    """By name, of what there would be too much. What does not grow is never refused, however much there is already."""
    return tuple(line.name for line in _lines(quota, more) if line.over)


def refusal(quota: Quota, more: Usage) -> str:
    """Why that cannot be had, and what to do about it."""
    return _refusal(_lines(quota, more), "an administrator")


def surplus(allowance: Allowance, there: Belongings, more: Belongings) -> str | None:
    """The same for what is no container; None if it can be had."""
    lines = [
        _Line(name, getattr(allowance, name), getattr(there, name), getattr(more, name)) for name in sorted(BELONGINGS)
    ]
    return _refusal(lines, "the operator") if any(line.over for line in lines) else None


def _refusal(lines: Sequence[_Line], whoever: str) -> str:
    over = [line for line in lines if line.over]
    told = [
        f"{name}: {asked:g} more were asked for, {used:g} of {limit} are in use" for name, limit, used, asked in over
    ]
    return (
        f"Quota exceeded for resources: {[line.name for line in over]}. {'; '.join(told)}. "
        f"Ask for less, delete something, or have {whoever} raise the limit."
    )


def _lines(quota: Quota, more: Usage) -> Sequence[_Line]:
    limits, used = quota.limits, quota.used
    return [
        _Line("containers", limits.containers, used.containers, more.containers),
        _Line("cpu", limits.cpu, used.microcores / MICRO, more.microcores / MICRO),
        _Line("disk", limits.disk, used.disk, more.disk),
        _Line("memory", limits.memory, used.memory, more.memory),
    ]


def _microcores(claim: Resources) -> int:
    return round(claim.cpu * MICRO)
