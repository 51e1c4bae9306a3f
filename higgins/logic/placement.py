"""Which host a capsule goes to, and why the others were refused."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from higgins.model.capsule import CapsuleSpec, Resources
from higgins.model.host import Host
from higgins.model.ids import HostId

_BEST = 3
"""Choosing at random among so many keeps replicas that decide at the same time from colliding."""


_BROKEN = "without a working runtime (`higgins host list` tells the operator why)"
_AWAY = ("not connected", _BROKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """How much more than it has a host may be asked for."""

    cpu: float = 16.0
    memory: float = 1.5
    disk: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No host will do; how many were refused for which reason."""

    reasons: Mapping[str, int]
    temporary: bool
    """A host that would do, as far as can be told, is only away."""

    def sentence(self) -> str:
        """For the user: without names of hosts."""
        if not self.reasons:
            return "There are not enough hosts available: no host has joined."
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(self.reasons.items()))
        return f"There are not enough hosts available: {counts}."


def choose(hosts: Sequence[Host], spec: CapsuleSpec, ratios: Ratios, *, draw: float) -> HostId | Refused:
    """A host with room for the capsule, preferring those with more free memory. `draw`, from 0 up to 1, decides among the best."""
    claim = spec.claim()
    reasons: Counter[str] = Counter()
    fitting: list[Host] = []
    for host in hosts:
        refusal = _refusal(host, spec, claim, ratios)
        if refusal is None:
            fitting.append(host)
        else:
            reasons[refusal] += 1
    if not fitting:
        return Refused(reasons=dict(reasons), temporary=not hosts or any(reason in reasons for reason in _AWAY))
    best = sorted(fitting, key=_free_memory, reverse=True)[:_BEST]
    return best[int(draw * len(best))].id


def room(host: Host, ratios: Ratios) -> Resources:
    """All that may be booked on a host."""
    capacity = host.inventory.capacity if host.inventory else Resources()
    return Resources(
        cpu=capacity.cpu * ratios.cpu,
        memory=int(capacity.memory * ratios.memory),
        disk=int(capacity.disk * ratios.disk),
    )


def _refusal(host: Host, spec: CapsuleSpec, claim: Resources, ratios: Ratios) -> str | None:
    """A rule that the host breaks, worded to follow a number of hosts."""
    if spec.host is not None and host.name != spec.host:
        return "not the host that was asked for"
    if not host.enabled:
        return "disabled"
    if host.down or host.inventory is None:
        return "not connected"
    if host.inventory.trouble is not None:
        return _BROKEN
    if spec.availability_zone is not None and host.availability_zone != spec.availability_zone:
        return "in other availability zones"
    if spec.runtime is not None and spec.runtime not in host.inventory.handlers:
        return "without that runtime"
    if spec.sandbox is not None and "sandboxes" not in host.inventory.capabilities:
        return "whose runtime has no sandboxes for several containers"
    limit = room(host, ratios)
    for name in ("cpu", "memory", "disk"):
        asked = getattr(claim, name)
        if asked and getattr(host.allocated, name) + asked > getattr(limit, name):
            return f"without enough {name}"
    return None


def _free_memory(host: Host) -> int:
    return (host.inventory.capacity.memory if host.inventory else 0) - host.allocated.memory
