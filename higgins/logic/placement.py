"""Which host a capsule goes to, and why the others were refused."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from higgins.logic import openings
from higgins.model.capsule import CapsuleSpec, Resources
from higgins.model.host import NETWORKS, Host
from higgins.model.ids import HostId
from higgins.model.network import PortRange

_BEST = 3
"""Choosing at random among so many keeps replicas that decide at the same time from colliding."""


class Rule(StrEnum):
    """What a host has to be, to take a capsule; asked in this order. Clients know these names."""

    HOST = "host"
    """The one that was asked for."""
    ENABLED = "enabled"
    CONNECTED = "connected"
    WORKING = "working"
    """Its runtime answers."""
    AVAILABILITY_ZONE = "availability_zone"
    RUNTIME = "runtime"
    SANDBOXES = "sandboxes"
    """Its runtime has some, for several containers."""
    VOLUMES = "volumes"
    """It can mount some, and those that are asked for do not lie on another."""
    NETWORKS = "networks"
    """It can attach containers to some."""
    PORTS = "ports"
    """Those that are to lead to the capsule are free on it."""
    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"

    @property
    def broken(self) -> str:
        """What hosts are that break it, worded to follow their number."""
        return _BROKEN[self]


_BROKEN: Mapping[Rule, str] = {
    Rule.HOST: "not the host that was asked for",
    Rule.ENABLED: "disabled",
    Rule.CONNECTED: "not connected",
    Rule.WORKING: "without a working runtime (`higgins host list` tells the operator why)",
    Rule.AVAILABILITY_ZONE: "in other availability zones",
    Rule.RUNTIME: "without that runtime",
    Rule.SANDBOXES: "whose runtime has no sandboxes for several containers",
    Rule.VOLUMES: "on which its volumes do not lie, or that cannot mount any",
    Rule.NETWORKS: "that cannot attach containers to networks",
    Rule.PORTS: "on which a port that was asked for is taken",
    Rule.CPU: "without enough cpu",
    Rule.MEMORY: "without enough memory",
    Rule.DISK: "without enough disk",
}
Homes = frozenset[HostId]
"""Where the volumes of a capsule lie; what nobody has used yet lies nowhere."""
_AWAY = (Rule.CONNECTED, Rule.WORKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """How much more than it has a host may be asked for, and which of its ports are given out to who names none."""

    cpu: float = 16.0
    memory: float = 1.5
    disk: float = 1.0
    ports: PortRange = openings.AUTOMATIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No host will do; how many break which rule first."""

    rules: Mapping[Rule, int]

    @property
    def temporary(self) -> bool:
        """Whether a host that would do, as far as can be told, is only away."""
        return not self.rules or any(rule in self.rules for rule in _AWAY)

    def sentence(self) -> str:
        """For the user: without names of hosts."""
        if not self.rules:
            return "There are not enough hosts available: no host has joined."
        counts = sorted((rule.broken, count) for rule, count in self.rules.items())
        return f"There are not enough hosts available: {', '.join(f'{count} {reason}' for reason, count in counts)}."


def choose(
    hosts: Sequence[Host], spec: CapsuleSpec, ratios: Ratios, *, draw: float, homes: Homes = frozenset()
) -> HostId | Refused:
    """A host with room for the capsule, preferring those with more free memory. `draw`, from 0 up to 1, decides among the best; `homes` are the hosts
    on which its volumes lie."""
    claim = spec.claim()
    broken: Counter[Rule] = Counter()
    fitting: list[Host] = []
    for host in hosts:
        rule = first_broken(host, spec, claim, ratios, homes)
        if rule is None:
            fitting.append(host)
        else:
            broken[rule] += 1
    if not fitting:
        return Refused(rules=dict(broken))
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


def first_broken(
    host: Host, spec: CapsuleSpec, claim: Resources, ratios: Ratios, homes: Homes = frozenset()
) -> Rule | None:
    """The first rule that the host breaks; None: it takes what is asked for. `claim` counts, whatever the spec's containers need."""
    if spec.host is not None and host.name != spec.host:
        return Rule.HOST
    if not host.enabled:
        return Rule.ENABLED
    if host.down or host.inventory is None:
        return Rule.CONNECTED
    if host.inventory.trouble is not None:
        return Rule.WORKING
    if spec.availability_zone is not None and host.availability_zone != spec.availability_zone:
        return Rule.AVAILABILITY_ZONE
    if spec.runtime is not None and spec.runtime not in host.inventory.handlers:
        return Rule.RUNTIME
    if spec.sandbox is not None and "sandboxes" not in host.inventory.capabilities:
        return Rule.SANDBOXES
    if homes - {host.id} or (_mounts(spec) and "volumes" not in host.inventory.capabilities):
        return Rule.VOLUMES
    if spec.networks and NETWORKS not in host.inventory.capabilities:
        return Rule.NETWORKS
    if spec.published and openings.assigned(spec.published, host.busy, ratios.ports) is None:
        return Rule.PORTS
    limit = room(host, ratios)
    for rule in (Rule.CPU, Rule.MEMORY, Rule.DISK):
        asked = getattr(claim, rule)
        if asked and getattr(host.allocated, rule) + asked > getattr(limit, rule):
            return rule
    return None


def _mounts(spec: CapsuleSpec) -> bool:
    return any(container.mounts for container in spec.all())


def _free_memory(host: Host) -> int:
    return (host.inventory.capacity.memory if host.inventory else 0) - host.allocated.memory
