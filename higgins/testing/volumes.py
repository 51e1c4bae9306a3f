"""Volumes in memory, that can be told to be slow, to fail and to go away."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from higgins import errors
from higgins.model.capsule import Capsule
from higgins.model.ids import CapsuleId, VolumeId
from higgins.model.volume import Attachment
from higgins.testing.mischief import Mischief


class FakeVolumes(Mischief):
    """Has every volume that it was made with, each of 1 GiB. `attach` and `release` are the methods that can be told."""

    def __init__(
        self, volumes: Sequence[VolumeId] = (), *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        super().__init__(sleep=sleep)
        self.volumes = set(volumes)
        self.attached: dict[CapsuleId, set[VolumeId]] = {}
        """What each capsule uses, also if it was attached only in part."""

    async def attach(self, capsule: Capsule) -> tuple[Attachment, ...]:
        async with self.call("attach", capsule.id):
            attached = []
            for volume_id in capsule.spec.volumes():
                if volume_id not in self.volumes:
                    raise errors.NotFound(f"Volume {volume_id} could not be found.", code="volume-not-found")
                self.attached.setdefault(capsule.id, set()).add(volume_id)
                attached.append(Attachment(volume_id=volume_id, size=1))
            return tuple(attached)

    async def release(self, capsule_id: CapsuleId) -> None:
        async with self.call("release", capsule_id):
            self.attached.pop(capsule_id, None)


class FakeMount(Mischief):
    """A host's volumes. `list`, `mount`, `unmount` and `remove` are the methods that can be told."""

    def __init__(self, *, limits: bool = True, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        super().__init__(sleep=sleep)
        self._limits = limits
        self.there: dict[VolumeId, bool] = {}
        """Each with whether it is mounted."""
        self.sizes: dict[VolumeId, int] = {}

    async def capabilities(self) -> Collection[str]:
        return ("volumes", "volume_limits") if self._limits else ("volumes",)

    async def list(self) -> Collection[VolumeId]:
        async with self.call("list"):
            return tuple(self.there)

    async def mount(self, attachment: Attachment) -> str:
        async with self.call("mount", attachment.volume_id):
            self.there[attachment.volume_id] = True
            self.sizes.setdefault(attachment.volume_id, attachment.size)
            return f"/volumes/{attachment.volume_id}"

    async def unmount(self, volume_id: VolumeId) -> None:
        async with self.call("unmount", volume_id):
            if volume_id in self.there:
                self.there[volume_id] = False

    async def remove(self, volume_id: VolumeId) -> None:
        async with self.call("remove", volume_id):
            self.there.pop(volume_id, None)
            self.sizes.pop(volume_id, None)
