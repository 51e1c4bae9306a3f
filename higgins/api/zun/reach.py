"""How a container is reached, its networks and its ports: what is asked about them, and what is shown."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from higgins.api.zun import values
from higgins.api.zun.form import Form, invalid
from higgins.api.zun.microversion import Version
from higgins.api.zun.values import said
from higgins.model.capsule import Capsule, CapsuleSpec, Container, Observation

NO_IPV6 = "Networks here have no IPv6; ask for an address of IPv4, or for none."

# What is asked.

Ref = Annotated[str, Meta(min_length=1, max_length=255)]
"""An id or a name."""


class Attachment(Struct, forbid_unknown_fields=True, kw_only=True):
    """One network that a container is to be on: named, or by one of its ports."""

    network: Annotated[Ref | None, said("The network, by id or name.")] = None
    port: Annotated[
        Ref | None,
        said("A port that was made for it before, by id or name. Networks made here have none by themselves."),
    ] = None
    v4: Annotated[values.IPv4 | None, said("The address that it is to have there; nothing: any.")] = field(
        default=None, name="v4-fixed-ip"
    )
    v6: Annotated[values.IPv6 | None, said("The same in IPv6, which networks made here do not have.")] = field(
        default=None, name="v6-fixed-ip"
    )


class PublishPort(Struct, forbid_unknown_fields=True, kw_only=True):
    """A port of a container that a port of its host is to lead to."""

    port: Annotated[values.PortNumber, said("Its number inside the container.")]
    protocol: Annotated[Literal["tcp", "udp"] | None, said("Nothing: tcp.")] = None
    host_port: Annotated[
        values.PortNumber | None, said("On the host, which then has to have it free; nothing: any that is free.")
    ] = None


class AttachNetwork(Struct, forbid_unknown_fields=True, kw_only=True):
    """One more network; nothing: the one that a container gets by itself."""

    network: Annotated[Ref | None, said("The network, by id or name.")] = None
    port: Annotated[
        Ref | None,
        said("A port that was made for it before, by id or name. Networks made here have none by themselves."),
    ] = None
    fixed_ip: Annotated[values.IP | None, said("The address that it is to have there; nothing: any.")] = None


class DetachNetwork(Struct, forbid_unknown_fields=True, kw_only=True):
    """The network to be left, or the port by which a container is on it."""

    network: Annotated[Ref | None, said("The network, by id or name.")] = None
    port: Annotated[Ref | None, said("The port, by id.")] = None


def _attached(version: Version, params: AttachNetwork) -> AttachNetwork:
    if params.network is not None and params.port is not None:
        raise invalid("port", "It cannot stand beside network: a port is on a network already.", value=params.port)
    if params.fixed_ip is not None and ":" in params.fixed_ip:
        raise invalid("fixed_ip", NO_IPV6, value=params.fixed_ip)
    return params


def _detached(version: Version, params: DetachNetwork) -> DetachNetwork:
    if (params.network is None) == (params.port is None):
        raise invalid("network", "Exactly one of network and port is needed.")
    return params


ATTACH_NETWORK = Form(params=AttachNetwork, steps=(_attached,))
DETACH_NETWORK = Form(params=DetachNetwork, steps=(_detached,))

# What is shown.


class Address(Struct, kw_only=True):
    """One address on a network."""

    addr: str
    version: int
    port: str
    subnet_id: Annotated[str, said("The network's id: each has one subnet.")]
    preserve_on_delete: bool


class PublishedPort(Struct, kw_only=True):
    """A port of a host that leads to one of a container's."""

    port: int
    protocol: str
    host_port: Annotated[int | None, said("null until it is known which one it got.")]


def addresses(capsule: Capsule) -> dict[str, list[Address]]:
    """What it was allotted, by the ids of the networks; nothing yet while it waits for that."""
    found: dict[str, list[Address]] = {}
    for port in capsule.assignment.ports:
        found.setdefault(port.network_id, []).extend(
            Address(
                addr=address,
                version=6 if ":" in address else 4,
                port=port.id,
                subnet_id=port.network_id,
                preserve_on_delete=False,
            )
            for address in port.addresses
        )
    return found


def ports(spec: CapsuleSpec, asked: Container, seen: Observation | None) -> Sequence[int]:
    """What it says that it listens on, what its image says, and what was opened for it."""
    own = tuple(port.number for port in (*asked.ports, *spec.exposed))
    opened = tuple(one.port for one in spec.published)
    return tuple(dict.fromkeys((*(seen.ports if seen else ()), *own, *opened)))


def published(capsule: Capsule) -> list[PublishedPort]:
    """The ports of its host that lead to it; those that were asked for, as long as it has no host."""
    shown = capsule.assignment.published or capsule.spec.published
    return [PublishedPort(port=one.port, protocol=one.protocol, host_port=one.host_port or None) for one in shown]
