"""What counts towards a project's quota, and what is said when that would be too much."""

from higgins.model.capsule import Capsule, Resources
from higgins.model.quota import UNLIMITED, Quota, Usage

MICRO = 1_000_000


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
    return tuple(
        name
        for name, limit, used, asked in _lines(quota, more)
        if asked > 0 and limit != UNLIMITED and used + asked > limit
    )


def refusal(quota: Quota, more: Usage) -> str:
    """Why that cannot be had, and what to do about it."""
    over = exceeded(quota, more)
    told = [
        f"{name}: {asked:g} more were asked for, {used:g} of {limit} are in use"
        for name, limit, used, asked in _lines(quota, more)
        if name in over
    ]
    return (
        f"Quota exceeded for resources: {list(over)}. {'; '.join(told)}. "
        "Ask for less, delete something, or have an administrator raise the limit."
    )


def _lines(quota: Quota, more: Usage) -> list[tuple[str, int, float, float]]:
    limits, used = quota.limits, quota.used
    return [
        ("containers", limits.containers, used.containers, more.containers),
        ("cpu", limits.cpu, used.microcores / MICRO, more.microcores / MICRO),
        ("disk", limits.disk, used.disk, more.disk),
        ("memory", limits.memory, used.memory, more.memory),
    ]


def _microcores(claim: Resources) -> int:
    return round(claim.cpu * MICRO)
