"""Which ports of which hosts lead to which capsules."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

import sqlalchemy as sa
from sqlalchemy import exc

from higgins.model.ids import CapsuleId, HostId
from higgins.model.network import HostPort, Published
from higgins.store.database import Connection
from higgins.store.tables import host_ports

_ONE = host_ports.delete().where(
    host_ports.c.host_id == sa.bindparam("host"),
    host_ports.c.protocol == sa.bindparam("of"),
    host_ports.c.number == sa.bindparam("port"),
)
_ALL = host_ports.delete().where(host_ports.c.capsule_id == sa.bindparam("capsule"))


def claim(db: Connection, host_id: HostId, capsule_id: CapsuleId, ports: Sequence[Published]) -> bool:
    """They lead to the capsule from now on; False, and none does, if one of them leads elsewhere."""
    for place, one in enumerate(ports):
        row = {"host_id": host_id, "protocol": one.protocol, "number": one.host_port, "capsule_id": capsule_id}
        try:
            db.execute(host_ports.insert(), row)
        except exc.IntegrityError:
            give_back(db, host_id, ports[:place])
            return False
    return True


def give_back(db: Connection, host_id: HostId, ports: Sequence[Published]) -> None:
    """These lead nowhere any more."""
    for one in ports:
        db.execute(_ONE, {"host": host_id, "of": one.protocol, "port": one.host_port})


def release(db: Connection, capsule_id: CapsuleId) -> None:
    """None leads to the capsule any more, on whatever host."""
    db.execute(_ALL, {"capsule": capsule_id})


def taken(db: Connection) -> Mapping[HostId, Set[HostPort]]:
    """Those that lead to something, by host."""
    found: dict[HostId, set[HostPort]] = defaultdict(set)
    for row in db.execute(sa.select(host_ports.c.host_id, host_ports.c.protocol, host_ports.c.number)):
        found[HostId(row.host_id)].add(HostPort(row.protocol, row.number))
    return found
