"""Taking a capsule off its host."""

from higgins.model.capsule import Assignment, Capsule, CapsuleStatus, GivenUp
from higgins.store import capsules, host_ports, hosts
from higgins.store.database import Connection


def unassign(db: Connection, capsule: Capsule, given_up: GivenUp | None, *, lease: str | None = None) -> Capsule:
    """The host's room and its ports are free again, and its sweep removes what is left there; what was allotted besides, the provisioner gives back.

    Raises Conflict if the assignment is not the one that was read any more.
    """
    before = capsule.assignment
    free = Assignment(
        epoch=before.epoch,
        given_up=given_up,
        provision=before.provision,
        ports=before.ports,
        volumes=before.volumes,
    )
    freed = capsules.write_assignment(db, capsule, free, status=CapsuleStatus(), close=True, lease=lease)
    host_ports.release(db, capsule.id)
    if before.host_id is not None:
        hosts.release(db, before.host_id, before.claim)
    return freed
