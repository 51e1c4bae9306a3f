"""Networks, and what attaches a capsule to them."""

from dataclasses import dataclass
from typing import NamedTuple

from higgins.model.ids import NetworkId, PortId, ProjectId, SecurityGroupId


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network: who is on it reaches everybody else on it, and the world, and no other network."""

    id: NetworkId
    project_id: ProjectId | None
    """Whose it is; None: every project may use it."""
    name: str
    subnet: str
    """Its addresses, such as 10.88.0.0/24."""
    gateway: str
    """The one of them through which the world is reached."""
    created_at: float


SORT_KEYS = ("id", "uuid", "name", "project_id", "subnet", "created_at")
"""What a list of networks can be sorted by. `id` is the order of creation."""
FILTERS = ("name", "project_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkWish:
    """One attachment that was asked for."""

    port: PortId
    """The id of the port that answers it."""
    network: NetworkId
    address: str | None = None
    """On that network; None: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Some of what may be sent to a port without having been asked for."""

    protocol: str | None = None
    """In small letters: tcp, udp or icmp; None: any."""
    first: int | None = None
    """Of a range of port numbers; None, for it and the last: any."""
    last: int | None = None
    source: str | None = None
    """Where it may come from, such as 10.0.0.0/8; None: from anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """Rules under a name: a capsule that has some lets in what any rule of any of them allows, and nothing else. Never changes."""

    id: SecurityGroupId
    project_id: ProjectId
    name: str
    rules: tuple[Rule, ...] = ()
    created_at: float


class HostPort(NamedTuple):
    """A port of a host: of one number there is one for each protocol."""

    protocol: str
    number: int


@dataclass(frozen=True, slots=True)
class PortRange:
    """Port numbers that follow each other."""

    first: int
    last: int

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A port of the host that leads to one of a capsule's."""

    host_port: int
    """0 where it is only asked for: any that is free."""
    port: int
    protocol: str = "tcp"
    """In small letters: tcp or udp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One allotted attachment: all that a host needs to know of it."""

    id: PortId
    network_id: NetworkId
    mac: str
    addresses: tuple[str, ...]
    subnet: str
    """Of the network, as its gateway."""
    gateway: str
    interface: str = "eth0"
    """Its name inside the capsule. Where there are several the world is reached through the first."""
    names: tuple[str, ...] = ()
    """By which others on the network find it."""
    rules: tuple[Rule, ...] | None = None
    """What may come in; None: all that comes from the network, and what is published."""
    published: tuple[Published, ...] = ()
