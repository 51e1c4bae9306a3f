"""Forgetting what was asked to be deleted, as soon as nothing holds it any more."""

from higgins.model.capsule import Capsule, Desired, Provision
from higgins.store import capsules, hosts, volumes
from higgins.store.database import Connection


def due(capsule: Capsule) -> bool:
    """Whether its host has just said that nothing of it is left, and nothing else has to be given back."""
    return (
        capsule.spec.desired is Desired.DELETED
        and capsule.settled
        and not capsule.status.failed
        and capsule.assignment.provision in (Provision.NONE, Provision.RELEASED)
    )


def forget(db: Connection, capsule: Capsule) -> None:
    """It is gone with the volumes that go with it, and what it had claimed is free. Nothing happens if somebody has changed its assignment meanwhile."""
    along = volumes.take_along(db, capsule.id) if [*capsule.spec.volumes()] else ()
    if not capsules.delete(db, capsule):
        return
    for volume_id in along:
        volumes.delete(db, volume_id)
    if capsule.assignment.host_id is not None:
        hosts.release(db, capsule.assignment.host_id, capsule.assignment.claim)
