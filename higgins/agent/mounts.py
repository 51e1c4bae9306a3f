"""What has to be mounted on this host for the containers that are here, and what need not be any more."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from higgins import errors
from higgins.agent.contents import Contents
from higgins.link.messages import Work
from higgins.model.capsule import Container
from higgins.model.ids import CapsuleId, VolumeId
from higgins.model.volume import Mount, MountKind
from higgins.protocols.runtime import Bound
from higgins.protocols.volume import VolumeMount

log = logging.getLogger(__name__)


class Mounts:
    """The volumes and files of the capsules on this host. Without `volumes` it can mount none."""

    def __init__(self, volumes: VolumeMount | None = None, contents: Contents | None = None) -> None:
        self._volumes = volumes
        self._contents = contents

    async def capabilities(self) -> Collection[str]:
        """What the host announces besides what its runtime can do."""
        return await self._volumes.capabilities() if self._volumes is not None and self._contents is not None else ()

    async def ready(self, work: Work, container: Container) -> Sequence[Bound]:
        """Everything that the container mounts from this host is there. Succeeds if it is there already: a reboot takes mounts away."""
        return [
            Bound(source=await self._source(work, mount), destination=mount.destination, read_only=mount.read_only)
            for mount in container.mounts
            if mount.kind is not MountKind.TMPFS
        ]

    async def idle(self, used: Collection[VolumeId]) -> Sequence[VolumeId]:
        """The volumes that lie here without anybody using them."""
        try:
            there = await self._volumes.list() if self._volumes is not None else ()
        except errors.Failure as failure:
            log.warning("cannot look which volumes are here: %s", failure.message)
            return ()
        return sorted(set(there) - set(used))

    async def remove(self, volumes: Collection[VolumeId], used: Callable[[], Collection[VolumeId]]) -> None:
        """Remove volumes that exist no more. What cannot be removed now is idle still, and asked about again."""
        for volume_id in volumes:
            # Asked now: what has come meanwhile is the newer truth.
            if self._volumes is None or volume_id in used():
                continue
            try:
                await self._volumes.remove(volume_id)
                log.info("the volume %s is gone", volume_id)
            except errors.Failure as failure:
                log.warning("cannot remove the volume %s yet: %s", volume_id, failure.message)

    async def sweep(
        self, capsules: Callable[[], Collection[CapsuleId]], used: Callable[[], Collection[VolumeId]]
    ) -> None:
        """What nobody on this host uses is not mounted, and of capsules that are not here there are no files. Volumes keep what lies in them."""
        for volume_id in await self.idle(used()):
            if self._volumes is None or volume_id in used():
                continue
            try:
                await self._volumes.unmount(volume_id)
            except errors.Failure as failure:
                log.warning("cannot unmount the volume %s yet: %s", volume_id, failure.message)
        for capsule_id in await self._filled():
            if self._contents is not None and capsule_id not in capsules():
                await asyncio.to_thread(self._contents.remove, capsule_id)

    async def _filled(self) -> Sequence[CapsuleId]:
        try:
            return await asyncio.to_thread(self._contents.list) if self._contents is not None else ()
        except errors.Failure as failure:
            log.warning("cannot look which files are here: %s", failure.message)
            return ()

    async def _source(self, work: Work, mount: Mount) -> str:
        if mount.file is not None:
            if self._contents is None or mount.file not in work.files:
                raise errors.Unavailable(f"What is to lie in {mount.destination} has not come to this host.")
            return await asyncio.to_thread(self._contents.put, work.capsule_id, mount.file, work.files[mount.file])
        attached = next((one for one in work.volumes if one.volume_id == mount.volume), None)
        if self._volumes is None or attached is None:
            raise errors.Unavailable(f"The volume at {mount.destination} has not been attached to this host.")
        return await self._volumes.mount(attached)
