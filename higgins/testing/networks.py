"""A network provider and a host's plug in memory, that can be told to be slow, to fail, to forget and to go away."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from higgins import errors
from higgins.model.capsule import Capsule
from higgins.model.ids import CapsuleId, NetworkId, PortId
from higgins.model.network import HostPort, NetworkWish, Port
from higgins.testing.mischief import Mischief

BLUE = NetworkId("b10e0000-0000-4000-8000-000000000001")
"""The network that there is unless others are named."""


class FakeNetworks(Mischief):
    """Gives a port on every network that it was made with. `allot` and `release` are the methods that can be told."""

    def __init__(
        self, networks: Sequence[NetworkId] = (BLUE,), *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        super().__init__(sleep=sleep)
        self.networks = set(networks)
        self.allotted: dict[CapsuleId, dict[PortId, Port]] = {}
        """What each capsule holds, also if it was allotted only in part."""
        self._given = 0

    async def allot(self, capsule: Capsule) -> tuple[Port, ...]:
        async with self.call("allot", capsule.id):
            held = self.allotted.setdefault(capsule.id, {})
            for port_id in held.keys() - {wish.port for wish in capsule.spec.networks}:
                del held[port_id]
            for wish in capsule.spec.networks:
                if wish.port not in held:
                    held[wish.port] = self._port(wish, {port.interface for port in held.values()})
            return tuple(held[wish.port] for wish in capsule.spec.networks)

    async def release(self, capsule_id: CapsuleId) -> None:
        async with self.call("release", capsule_id):
            self.allotted.pop(capsule_id, None)

    def _port(self, wish: NetworkWish, taken: set[str]) -> Port:
        if wish.network not in self.networks:
            raise errors.NotFound(f"Network {wish.network} could not be found.", code="network-not-found")
        self._given += 1
        high, low = divmod(self._given, 256)
        return Port(
            id=wish.port,
            network_id=wish.network,
            mac=f"02:00:00:00:{high:02x}:{low:02x}",
            addresses=(wish.address or f"10.0.{high}.{low}",),
            subnet="10.0.0.0/16",
            gateway="10.0.255.254",
            interface=next(name for number in range(1000) if (name := f"eth{number}") not in taken),
        )


class FakePlug(Mischief):
    """A host's namespaces, which are the numbers of processes. `list`, `plug` and `unplug` are the methods that can be told."""

    def __init__(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        super().__init__(sleep=sleep)
        self.plugged: dict[PortId, tuple[Port, str]] = {}
        """Each port with the namespace that has it."""
        self.gone: set[int] = set()
        """Processes that have ended, and their namespaces with them."""
        self.number: int | None = None
        """What every namespace is called, one after the other; None: like its process."""
        self._where: dict[PortId, int] = {}
        """The processes that were given as theirs."""
        self.others: tuple[HostPort, ...] = ()
        """Ports that programs of the host have."""

    def namespace(self, pid: int) -> str:
        if pid in self.gone:
            raise errors.Unavailable(f"The process {pid} is gone, and its network with it.")
        return f"net:[{self.number or pid}]"

    async def list(self) -> Mapping[PortId, str]:
        async with self.call("list"):
            self.plugged = {key: value for key, value in self.plugged.items() if self._where.get(key) not in self.gone}
            return {port_id: namespace for port_id, (_, namespace) in self.plugged.items()}

    async def busy(self) -> Sequence[HostPort]:
        return self.others

    async def plug(self, port: Port, pid: int) -> None:
        async with self.call("plug", port.id):
            self.plugged[port.id] = port, self.namespace(pid)
            self._where[port.id] = pid

    async def unplug(self, port_id: PortId) -> None:
        async with self.call("unplug", port_id):
            self.plugged.pop(port_id, None)
