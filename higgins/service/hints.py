"""Who is woken when something was written down. A hint that is lost costs one patrol period, nothing else."""

from higgins.aio.bell import Bell
from higgins.aio.topics import Topics
from higgins.model.capsule import Capsule, Desired, Provision
from higgins.model.ids import CapsuleId, HostId


class Hints:
    """The bells of the control loops, and of the sessions of the hosts."""

    def __init__(self) -> None:
        self.placer = Bell()
        self.reaper = Bell()
        self.provisioner = Bell()
        self.deadlines = Bell()
        self.host_watch = Bell()
        self.hosts: Topics[HostId, CapsuleId] = Topics()

    def changed(self, capsule: Capsule) -> None:
        """One of the sides of a capsule has been written."""
        if capsule.assignment.provision in (Provision.WANTED, Provision.HELD):
            self.provisioner.ring()
        if capsule.assignment.host_id is not None:
            self.hosts.hint(capsule.assignment.host_id, capsule.id)
        elif capsule.spec.desired is not Desired.DELETED:
            self.placer.ring()
        if capsule.spec.desired is Desired.DELETED:
            self.reaper.ring()
