"""Networks in the database, and the ports that are allotted on them.

Addresses go in and out as text, and lie here as numbers, so that a free one is found between others.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from higgins import errors
from higgins.logic import subnets
from higgins.model.capsule import Desired
from higgins.model.ids import CapsuleId, NetworkId, PortId, ProjectId
from higgins.model.network import Network
from higgins.model.query import Part, Query
from higgins.store import pages
from higgins.store.database import Connection
from higgins.store.tables import capsules, networks, ports

_COLUMNS: Mapping[str, sa.ColumnElement[Any]] = {"id": networks.c.number, "uuid": networks.c.id} | {
    name: networks.c[name] for name in ("name", "project_id", "subnet", "created_at")
}
"""By SORT_KEYS and FILTERS of the model."""

_AT_ONCE = 256
"""Addresses between which a free one is looked for in one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotted:
    """A port as it lies in the database."""

    id: PortId
    network_id: NetworkId
    mac: str
    address: str
    interface: str


def insert(db: Connection, network: Network) -> None:
    row = {
        "id": network.id,
        "project_id": network.project_id,
        "name": network.name,
        "subnet": network.subnet,
        "gateway": network.gateway,
        "given": int(IPv4Address(network.gateway)),
        "created_at": network.created_at,
    }
    db.execute(networks.insert(), row)


def get(db: Connection, network_id: NetworkId) -> Network | None:
    row = db.execute(_GET, {"network": network_id}).one_or_none()
    return _network(row) if row is not None else None


def find(db: Connection, project: ProjectId | None, ref: str) -> Sequence[Network]:
    """Those that this id or name means to somebody in `project`, None standing for all projects; at most two. A name of the project's own goes
    before one of those that every project may use."""
    visible = networks.select().where(*_visible(project))
    row = db.execute(visible.where(networks.c.id == ref)).one_or_none()
    if row is not None:
        return (_network(row),)
    named = db.execute(visible.where(networks.c.name == ref).order_by(networks.c.project_id.is_(None)).limit(2)).all()
    own = [row for row in named if row.project_id is not None]
    return tuple(_network(row) for row in (own if project is not None and own else named))


def foremost(db: Connection, project: ProjectId) -> Network | None:
    """The one for whoever names none: the oldest of the project's own, otherwise the oldest of those that every project may use."""
    statement = networks.select().where(*_visible(project))
    row = db.execute(statement.order_by(networks.c.project_id.is_(None), networks.c.number).limit(1)).one_or_none()
    return _network(row) if row is not None else None


def page(db: Connection, project: ProjectId | None, query: Query) -> Part[Network]:
    """Of what somebody in `project`, None standing for all, can use. Raises NotFound for an unknown marker."""
    rows = pages.rows(db, networks.select().where(*_visible(project)), networks.c.number, _COLUMNS, query)
    if rows is None:
        raise errors.NotFound(f"The marker {query.marker} is not a network that you can see.", code="network-not-found")
    return Part(items=tuple(_network(row) for row in rows[: query.limit]), more=len(rows) > query.limit)


def subnets_of(db: Connection, project: ProjectId | None) -> Sequence[str]:
    """Those of the networks that somebody in `project`, None standing for all, can use."""
    return db.execute(sa.select(networks.c.subnet).where(*_visible(project))).scalars().all()


def delete(db: Connection, network_id: NetworkId) -> None:
    """Raises Conflict while ports are on it, or are about to be."""
    count = occupied(db, network_id) + db.execute(_AWAITED, {"network": network_id}).scalar_one()
    if count:
        ports_are = "port is" if count == 1 else "ports are"
        raise errors.Conflict(
            f"{count} {ports_are} on the network, or about to be: delete the containers that have them, or detach these from it, first."
        )
    db.execute(networks.delete().where(networks.c.id == network_id))


def allotted(db: Connection, capsule_id: CapsuleId) -> Mapping[PortId, Allotted]:
    """What the capsule has."""
    return {PortId(row.id): _allotted(row) for row in db.execute(_OF_CAPSULE, {"capsule": capsule_id})}


def occupied(db: Connection, network_id: NetworkId) -> int:
    """How many ports are on a network."""
    count: int = db.execute(_OCCUPIED, {"network": network_id}).scalar_one()
    return count


def holder(db: Connection, network_id: NetworkId, address: str) -> CapsuleId | None:
    """Who has the address."""
    wanted = {"network": network_id, "wanted": int(IPv4Address(address))}
    found: str | None = db.execute(_HOLDER, wanted).scalar_one_or_none()
    return CapsuleId(found) if found is not None else None


def next_free(db: Connection, network: Network) -> str | None:
    """The first free address after the one that was handed out last; None if the network is full."""
    usable = subnets.usable(IPv4Network(network.subnet))
    given: int = db.execute(_GIVEN, {"network": network.id}).scalar_one()
    # From there to the end, and then what lies before.
    begin = given + 1 if given + 1 in usable else usable.start
    for span in (range(begin, usable.stop), range(usable.start, begin)):
        for start in range(span.start, span.stop, _AT_ONCE):
            stop = min(start + _AT_ONCE, span.stop)
            between = {"network": network.id, "start": start, "stop": stop}
            taken = set(db.execute(_TAKEN, between).scalars())
            found = next((number for number in range(start, stop) if number not in taken), None)
            if found is not None:
                return str(IPv4Address(found))
    return None


def add(db: Connection, capsule_id: CapsuleId, port: Allotted, *, in_turn: bool) -> None:
    """The capsule has the port from now on; after an address that was its turn come those that follow it.

    Raises Conflict if the address is taken, or the capsule or the network gone.
    """
    number = int(IPv4Address(port.address))
    row = {
        "id": port.id,
        "network_id": port.network_id,
        "capsule_id": capsule_id,
        "mac": port.mac,
        "address": number,
        "interface": port.interface,
    }
    try:
        db.execute(ports.insert(), row)
    except exc.IntegrityError as error:
        raise errors.Conflict(
            f"The address {port.address} of network {port.network_id} cannot be had any more."
        ) from error
    if in_turn:
        db.execute(_GIVE, {"network": port.network_id, "turn": number})


def take_back(db: Connection, capsule_id: CapsuleId, ids: Collection[PortId] | None = None) -> None:
    """These ports of the capsule, or all, are free again."""
    if ids is None:
        db.execute(_FORGET, {"capsule": capsule_id})
    elif ids:
        db.execute(_FORGET.where(ports.c.id.in_(ids)), {"capsule": capsule_id})


def named(db: Connection, ids: Iterable[NetworkId]) -> Mapping[NetworkId, Network]:
    """Those of them that there are, by id."""
    found = (get(db, network_id) for network_id in dict.fromkeys(ids))
    return {network.id: network for network in found if network is not None}


_GET = networks.select().where(networks.c.id == sa.bindparam("network"))
_GIVEN = sa.select(networks.c.given).where(networks.c.id == sa.bindparam("network"))
_GIVE = networks.update().where(networks.c.id == sa.bindparam("network")).values(given=sa.bindparam("turn"))
_OF_CAPSULE = ports.select().where(ports.c.capsule_id == sa.bindparam("capsule"))
_HOLDER = sa.select(ports.c.capsule_id).where(
    ports.c.network_id == sa.bindparam("network"), ports.c.address == sa.bindparam("wanted")
)
_OCCUPIED = sa.select(sa.func.count()).where(ports.c.network_id == sa.bindparam("network"))
_WISHES = sa.func.json_each(capsules.c.spec, "$.networks").table_valued("value")
_AWAITED = (
    sa.select(sa.func.count())
    .select_from(capsules.join(_WISHES, sa.true()))
    .where(
        # Only what is still under way can lack something that was asked for.
        capsules.c.deadline.is_not(None),
        capsules.c.desired != Desired.DELETED.value,
        sa.func.json_extract(_WISHES.c.value, "$.network") == sa.bindparam("network"),
        ~sa.exists().where(ports.c.id == sa.func.json_extract(_WISHES.c.value, "$.port")),
    )
)
"""Ports that are wished for, and are not there yet."""
_TAKEN = sa.select(ports.c.address).where(
    ports.c.network_id == sa.bindparam("network"),
    ports.c.address >= sa.bindparam("start"),
    ports.c.address < sa.bindparam("stop"),
)
_FORGET = ports.delete().where(ports.c.capsule_id == sa.bindparam("capsule"))


def _visible(project: ProjectId | None) -> Sequence[sa.ColumnElement[bool]]:
    if project is None:
        return ()
    return (sa.or_(networks.c.project_id == project, networks.c.project_id.is_(None)),)


def _network(row: sa.Row[Any]) -> Network:
    return Network(
        id=NetworkId(row.id),
        project_id=ProjectId(row.project_id) if row.project_id is not None else None,
        name=row.name,
        subnet=row.subnet,
        gateway=row.gateway,
        created_at=row.created_at,
    )


def _allotted(row: sa.Row[Any]) -> Allotted:
    return Allotted(
        id=PortId(row.id),
        network_id=NetworkId(row.network_id),
        mac=row.mac,
        address=str(IPv4Address(row.address)),
        interface=row.interface,
    )
