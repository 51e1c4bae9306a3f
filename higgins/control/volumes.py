"""The volumes that the hosts have themselves: the rows say all that there is to know of them."""

from higgins import errors
from higgins.model.capsule import Capsule
from higgins.model.ids import CapsuleId
from higgins.model.volume import Attachment
from higgins.store import volumes
from higgins.store.database import Database


class LocalVolumes:
    """A VolumeProvider of volumes that lie on one host each. Who uses one is written down where that is asked for, and goes with it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def attach(self, capsule: Capsule) -> tuple[Attachment, ...]:
        wanted = [*capsule.spec.volumes()]
        found = {volume.id: volume for volume in await self._database.read(lambda db: volumes.every(db, wanted))}
        for volume_id in wanted:
            if volume_id not in found:
                raise volumes.missing(volume_id)
            # What is on another host is not there; it can never have been bound so by our own hand.
            if found[volume_id].host_id != capsule.assignment.host_id:
                raise errors.Conflict(f"Volume {volume_id} lies on another host.")
        return tuple(Attachment(volume_id=volume_id, size=found[volume_id].size) for volume_id in wanted)

    async def release(self, capsule_id: CapsuleId) -> None:
        return
