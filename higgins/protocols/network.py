"""What Higgins asks of whoever gives networks."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from higgins.model.capsule import Capsule
from higgins.model.ids import CapsuleId, PortId
from higgins.model.network import HostPort, Port


class NetworkProvider(Protocol):
    """Allots attachments to networks. Works with API credentials, never on a host; every call may be cut off and repeated."""

    async def allot(self, capsule: Capsule) -> tuple[Port, ...]:
        """The capsule's ports, one for each of its wishes, in their order: each is made by the first call that has its wish, and stays as it is.

        A port that no wish names any more is given back. Raises NotFound or Invalid for what can never be had as it was asked, Unavailable for what
        may be had later.
        """
        ...

    async def release(self, capsule_id: CapsuleId) -> None:
        """Give back all that was allotted to the capsule, however far that got. Succeeds if there is nothing."""
        ...


class NetworkPlug(Protocol):
    """Puts interfaces into the network namespaces of a host. Needs root there, and no credentials.

    What it makes carries its mark, so that an agent that has just started finds it, and other agents on the same machine leave it alone. Every method
    may be cancelled and repeated. Raises Unavailable for what may work later, Invalid for what this host cannot give.
    """

    def namespace(self, pid: int) -> str:
        """What tells the network namespace of a process from all others, as long as it is there. Raises Unavailable for a process that is gone."""
        ...

    async def list(self) -> Mapping[PortId, str]:
        """The ports that are plugged in, each with its namespace. What is plugged in only in part counts as well, with an empty namespace."""
        ...

    async def busy(self) -> Sequence[HostPort]:
        """The ports of this host that its own programs have: none of them can be published."""
        ...

    async def plug(self, port: Port, pid: int) -> None:
        """The namespace of this process has the port: its interface is there with its addresses, and is up. Succeeds if that is so already; takes
        it out of another namespace first, and brings one that was made for an older form of the same port up to date."""
        ...

    async def unplug(self, port_id: PortId) -> None:
        """Nothing is left of it on this host, nor of its network if it was the last. Succeeds if there is nothing."""
        ...
