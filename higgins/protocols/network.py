"""What Higgins asks of whoever gives networks."""

from typing import Protocol

from higgins.model.capsule import Capsule, Port
from higgins.model.ids import CapsuleId


class NetworkProvider(Protocol):
    """Allots attachments to networks. Works with API credentials, never on a host; every call may be cut off and repeated."""

    async def allot(self, capsule: Capsule) -> tuple[Port, ...]:
        """The capsule's ports, in the order in which it asked for networks: made by the first call, the same from then on.

        Raises NotFound or Invalid for what can never be had as it was asked, Unavailable for what may be had later.
        """
        ...

    async def release(self, capsule_id: CapsuleId) -> None:
        """Give back all that was allotted to the capsule, however far that got. Succeeds if there is nothing."""
        ...
