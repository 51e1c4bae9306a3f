"""What Higgins asks of whoever gives volumes."""

from collections.abc import Collection
from typing import Protocol

from higgins.model.capsule import Capsule
from higgins.model.ids import CapsuleId, VolumeId
from higgins.model.volume import Attachment


class VolumeProvider(Protocol):
    """Attaches volumes to the hosts of capsules. Works with API credentials, never on a host; every call may be cut off and repeated."""

    async def attach(self, capsule: Capsule) -> tuple[Attachment, ...]:
        """What its host needs to know to mount the capsule's volumes, one for each, in the order in which they are named: reserved by the first call,
        the same from then on.

        Raises NotFound or Invalid for what can never be had as it was asked, Unavailable for what may be had later.
        """
        ...

    async def release(self, capsule_id: CapsuleId) -> None:
        """The capsule uses none of them any more, however far that got. Deletes none. Succeeds if there is nothing."""
        ...


class VolumeMount(Protocol):
    """Mounts volumes on a host. Needs root there, and no credentials.

    What it makes is found again by an agent that has just started. Every method may be cancelled and repeated. Raises Unavailable for what may work
    later, Invalid for what this host cannot give.
    """

    async def capabilities(self) -> Collection[str]:
        """What the host announces: `volumes`, and `volume_limits` where their sizes are kept to."""
        ...

    async def list(self) -> Collection[VolumeId]:
        """All that this host has something of, mounted or not."""
        ...

    async def mount(self, attachment: Attachment) -> str:
        """The directory in which what lies in the volume is now. It is empty the first time; succeeds if it is mounted already."""
        ...

    async def unmount(self, volume_id: VolumeId) -> None:
        """Nobody here uses it just now. What lies in it stays. Succeeds if there is nothing."""
        ...

    async def remove(self, volume_id: VolumeId) -> None:
        """Nothing is left of it on this host. Succeeds if there is nothing."""
        ...
