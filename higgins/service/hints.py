"""Who is woken when something was written down. A hint that is lost costs one patrol period, nothing else."""

from higgins.aio.bell import Bell
from higgins.aio.topics import Topics
from higgins.model.capsule import Capsule, Desired
from higgins.model.ids import CapsuleId, HostId


class Hints:
    """The bells of the control loops, and of the sessions of the hosts."""

    def __init__(self) -> None:
        self.placer = Bell()
        self.reaper = Bell()
        self.provisioner = Bell()
        self.deadlines = Bell()
        self.host_watch = Bell()
        self.images = Bell()
        self.hosts: Topics[HostId, CapsuleId] = Topics()
        self.watchers: Topics[CapsuleId | None, CapsuleId] = Topics()
        """Of one capsule, and under None of all: for callers who wait for something to change."""

    def changed(self, capsule: Capsule) -> None:
        """One of the sides of a capsule has been written."""
        self.seen(capsule.id)
        if capsule.owed:
            self.provisioner.ring()
        if capsule.assignment.host_id is not None:
            self.hosts.hint(capsule.assignment.host_id, capsule.id)
        elif capsule.spec.desired is not Desired.DELETED:
            self.placer.ring()
        if capsule.spec.desired is Desired.DELETED:
            self.reaper.ring()

    def seen(self, capsule_id: CapsuleId) -> None:
        """Whoever watches a capsule may look at it again."""
        self.watchers.hint(capsule_id, capsule_id)
        self.watchers.hint(None, capsule_id)
