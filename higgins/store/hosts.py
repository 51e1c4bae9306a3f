"""Hosts in the database: what they have, what is booked on them, when they were last heard of."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from higgins.logic import documents
from higgins.model.capsule import Resources
from higgins.model.host import Host, Inventory
from higgins.model.ids import HostId
from higgins.store import host_ports
from higgins.store.database import Connection
from higgins.store.tables import capsules, enrolments, hosts

# Built once: to build a statement costs ten times what it costs to execute it.
_AMOUNTS = (  # What is booked, what is asked for, what may be booked in all.
    (hosts.c.allocated_cpu, sa.bindparam("cpu", type_=sa.Float), sa.bindparam("cpu_room", type_=sa.Float)),
    (
        hosts.c.allocated_memory,
        sa.bindparam("memory", type_=sa.Integer),
        sa.bindparam("memory_room", type_=sa.Integer),
    ),
    (hosts.c.allocated_disk, sa.bindparam("disk", type_=sa.Integer), sa.bindparam("disk_room", type_=sa.Integer)),
)
_THIS = hosts.update().where(hosts.c.id == sa.bindparam("host"))
_BOOK = _THIS.where(
    hosts.c.enabled,
    sa.not_(hosts.c.down),
    # Who asks for nothing of it may come even where more is booked than there is.
    *(sa.or_(asked == 0, column + asked <= room) for column, asked, room in _AMOUNTS),
).values({column: column + asked for column, asked, _ in _AMOUNTS})
_RELEASE = _THIS.values({column: column - asked for column, asked, _ in _AMOUNTS})


def register(db: Connection, host: Host) -> None:
    """A host that nobody knew."""
    db.execute(
        hosts.insert(),
        {
            "id": host.id,
            "name": host.name,
            "created_at": host.created_at,
            "enabled": host.enabled,
            "disabled_reason": host.disabled_reason,
            "availability_zone": host.availability_zone,
            "allocated_cpu": 0.0,
            "allocated_memory": 0,
            "allocated_disk": 0,
            "down": host.down,
            "session": 0,
            "seen_at": None,
        }
        | _capacity(host.inventory),
    )


def get(db: Connection, host_id: HostId) -> Host | None:
    row = db.execute(hosts.select().where(hosts.c.id == host_id)).one_or_none()
    return _host(row) if row is not None else None


def named(db: Connection, name: str) -> Host | None:
    row = db.execute(hosts.select().where(hosts.c.name == name)).one_or_none()
    return _host(row) if row is not None else None


def every(db: Connection, *, ports: bool = False) -> Sequence[Host]:
    """All hosts, by name; with their `ports` that lead to capsules only if they are asked for."""
    found = tuple(_host(row) for row in db.execute(hosts.select().order_by(hosts.c.name)))
    if not ports:
        return found
    taken = host_ports.taken(db)
    return tuple(replace(host, published=frozenset(taken.get(host.id, ()))) for host in found)


def connected(
    db: Connection, host_id: HostId, *, name: str, availability_zone: str, inventory: Inventory, now: float
) -> int:
    """A host's agent has opened a session; its number."""
    if db.execute(sa.select(hosts.c.name).where(hosts.c.id == host_id)).scalar_one() != name:
        # The name is a part of what is shown of each.
        db.execute(capsules.update().where(capsules.c.host_id == host_id).values(revision=capsules.c.revision + 1))
    db.execute(
        hosts.update()
        .where(hosts.c.id == host_id)
        .values(
            session=hosts.c.session + 1,
            seen_at=now,
            beats=hosts.c.beats + 1,
            down=hosts.c.forced_down,
            name=name,
            availability_zone=availability_zone,
            **_capacity(inventory),
        )
    )
    return int(db.execute(sa.select(hosts.c.session).where(hosts.c.id == host_id)).scalar_one())


def heard(db: Connection, host_id: HostId, session: int, inventory: Inventory, now: float) -> bool:
    """A host's agent lives. False if another session has taken over."""
    written = db.execute(
        hosts.update()
        .where(hosts.c.id == host_id, hosts.c.session == session)
        .values(seen_at=now, beats=hosts.c.beats + 1, down=hosts.c.forced_down, **_capacity(inventory))
    )
    return written.rowcount == 1


def silent(db: Connection, since: float) -> Sequence[Host]:
    """Those not heard of since then and not known to be down."""
    unheard = sa.or_(hosts.c.seen_at.is_(None), hosts.c.seen_at < since)
    return tuple(_host(row) for row in db.execute(hosts.select().where(unheard, sa.not_(hosts.c.down))))


def write_down(db: Connection, host: Host) -> bool:
    """Take a host for lost, unless it has been heard of meanwhile."""
    unheard = hosts.c.seen_at.is_(None) if host.seen_at is None else hosts.c.seen_at == host.seen_at
    return db.execute(hosts.update().where(hosts.c.id == host.id, unheard).values(down=True)).rowcount == 1


def book(db: Connection, host_id: HostId, claim: Resources, room: Resources) -> bool:
    """Claim an amount, if it fits into what may be booked there in all.

    One conditional update, so that two who claim at once cannot both get the last of it.
    """
    limits = {"cpu_room": room.cpu, "memory_room": room.memory, "disk_room": room.disk}
    return db.execute(_BOOK, {"host": host_id} | _amounts(claim) | limits).rowcount == 1


def release(db: Connection, host_id: HostId, claim: Resources) -> None:
    """Give a claim back."""
    db.execute(_RELEASE, {"host": host_id} | _amounts(claim))


def write_enabled(db: Connection, host_id: HostId, *, enabled: bool, reason: str | None) -> None:
    """The operator's word on whether the host takes anything new."""
    db.execute(hosts.update().where(hosts.c.id == host_id).values(enabled=enabled, disabled_reason=reason))


def write_forced_down(db: Connection, host_id: HostId, *, forced: bool) -> None:
    """The operator's word that a host is down, whatever its agent says. Taken back, the host is up until it is found silent."""
    db.execute(hosts.update().where(hosts.c.id == host_id).values(forced_down=forced, down=forced))


def zones(db: Connection) -> Sequence[str]:
    """Every availability zone in which there is a host, by name."""
    zone = hosts.c.availability_zone
    return tuple(db.execute(sa.select(zone).distinct().order_by(zone)).scalars())


def occupants(db: Connection, host_id: HostId) -> int:
    """How many capsules are assigned to a host."""
    return int(db.execute(sa.select(sa.func.count()).where(capsules.c.host_id == host_id)).scalar_one())


def remove(db: Connection, host_id: HostId) -> None:
    db.execute(hosts.delete().where(hosts.c.id == host_id))


def invite(db: Connection, digest: str, expires_at: float) -> None:
    """A host that shows the secret with this hash may enrol, once."""
    db.execute(enrolments.insert(), {"digest": digest, "expires_at": expires_at})


def consume(db: Connection, digest: str, now: float) -> bool:
    """Use an invitation up; False if there is none such that is valid."""
    written = db.execute(
        enrolments.update()
        .where(enrolments.c.digest == digest, enrolments.c.expires_at > now, enrolments.c.used_at.is_(None))
        .values(used_at=now)
    )
    return written.rowcount == 1


def _amounts(claim: Resources) -> dict[str, float | int]:
    return {"cpu": claim.cpu, "memory": claim.memory, "disk": claim.disk}


def _capacity(inventory: Inventory | None) -> dict[str, Any]:
    capacity = inventory.capacity if inventory else Resources()
    return {
        "capacity_cpu": capacity.cpu,
        "capacity_memory": capacity.memory,
        "capacity_disk": capacity.disk,
        "inventory": documents.encode(inventory).decode() if inventory else None,
    }


def _host(row: sa.Row[Any]) -> Host:
    return Host(
        id=HostId(row.id),
        name=row.name,
        created_at=row.created_at,
        enabled=row.enabled,
        disabled_reason=row.disabled_reason,
        forced_down=row.forced_down,
        availability_zone=row.availability_zone,
        allocated=Resources(cpu=row.allocated_cpu, memory=row.allocated_memory, disk=row.allocated_disk),
        down=row.down,
        inventory=documents.decode(row.inventory, Inventory) if row.inventory else None,
        session=row.session,
        seen_at=row.seen_at,
        beats=row.beats,
    )
