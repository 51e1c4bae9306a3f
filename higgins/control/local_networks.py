"""Networks that hosts make by themselves: what is allotted on them lies in the database."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import replace
from ipaddress import IPv4Network

from higgins import errors
from higgins.logic import openings, subnets
from higgins.model.capsule import Capsule, Kind
from higgins.model.ids import CapsuleId, PortId
from higgins.model.network import Network, NetworkWish, Port
from higgins.store import networks, security_groups
from higgins.store.database import Connection, Database
from higgins.store.networks import Allotted

_ASKED_FOR = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")
"""Names that one can ask a name server for; a container may have another, and is not found by it."""


class LocalNetworks:
    """A network provider. Addresses are handed out in turn, so that one that was just given back is not used again soon.

    All that a call changes it changes at once, or nothing of it; and what a capsule has been allotted is gone with the capsule at the latest.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def allot(self, capsule: Capsule) -> tuple[Port, ...]:
        """What is taken back for a wish that is gone can be had again by others only if every new wish can be met."""
        return await self._database.write(lambda db: _allot(db, capsule))

    async def release(self, capsule_id: CapsuleId) -> None:
        await self._database.write(lambda db: networks.take_back(db, capsule_id))


def _allot(db: Connection, capsule: Capsule) -> tuple[Port, ...]:
    wishes = capsule.spec.networks
    held = networks.allotted(db, capsule.id)
    networks.take_back(db, capsule.id, held.keys() - {wish.port for wish in wishes})
    stays = {wish.port: held[wish.port] for wish in wishes if wish.port in held}
    known = networks.named(db, (wish.network for wish in wishes))
    for wish in wishes:
        if wish.network not in known:
            raise errors.NotFound(f"Network {wish.network} could not be found.", code="network-not-found")
        if wish.port not in stays:
            interface = _following([port.interface for port in stays.values()])
            stays[wish.port] = _made(db, capsule.id, wish, known[wish.network], interface)
    ports = tuple(_port(capsule, known[wish.network], stays[wish.port]) for wish in wishes)
    return _opened(db, capsule, ports)


def _opened(db: Connection, capsule: Capsule, ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """With what may come in through each. The ports of the host lead to the first."""
    rules = openings.rules(capsule.spec, security_groups.among(db, capsule.spec.security_groups))
    return tuple(
        replace(port, rules=rules, published=() if place else capsule.assignment.published)
        for place, port in enumerate(ports)
    )


def _made(db: Connection, capsule_id: CapsuleId, wish: NetworkWish, network: Network, interface: str) -> Allotted:
    address = networks.next_free(db, network) if wish.address is None else _named(db, network, wish.address)
    if address is None:
        raise errors.Unavailable(f"All addresses of the network {network.name} are in use.")
    port = Allotted(id=wish.port, network_id=network.id, mac=mac(wish.port), address=address, interface=interface)
    networks.add(db, capsule_id, port, in_turn=wish.address is None)
    return port


def _named(db: Connection, network: Network, address: str) -> str:
    subnets.wanted(IPv4Network(network.subnet), address)
    if networks.holder(db, network.id, address) is not None:
        raise errors.Invalid(f"The address {address} is in use on the network {network.name}.")
    return address


def _port(capsule: Capsule, network: Network, allotted: Allotted) -> Port:
    """All that its host needs to know."""
    # A container alone has the name that its capsule has now; in its spec is the one that it was made with.
    within = () if capsule.kind is Kind.CONTAINER else capsule.spec.all()
    names = [capsule.name, *(container.name for container in within)]
    if network.project_id is None:
        # Nobody answers for a name that another project, or the world, has.
        names = [f"{name}.{capsule.project_id}" for name in names if _ASKED_FOR.fullmatch(name)]
    return Port(
        id=allotted.id,
        network_id=network.id,
        mac=allotted.mac,
        addresses=(allotted.address,),
        subnet=network.subnet,
        gateway=network.gateway,
        interface=allotted.interface,
        names=tuple(dict.fromkeys(name for name in names if _ASKED_FOR.fullmatch(name))),
    )


def _following(taken: Collection[str]) -> str:
    """The name after those that ports of the capsule have, not one between them: the first network stays the way to the world, and back for whoever
    comes through a published port."""
    return f"eth{max((int(name.removeprefix('eth')) for name in taken), default=-1) + 1}"


def mac(port_id: PortId) -> str:
    """One that nobody was given by a maker of hardware; always the same for a port."""
    return ":".join(f"{byte:02x}" for byte in (2, *hashlib.sha256(port_id.encode()).digest()[:5]))
