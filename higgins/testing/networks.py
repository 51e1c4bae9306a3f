"""A network provider in memory, that can be told to be slow, to fail, to forget and to go away."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence

from higgins import errors
from higgins.model.capsule import Capsule, NetworkWish, Port
from higgins.model.ids import CapsuleId
from higgins.testing.mischief import Mischief


class FakeNetworks(Mischief):
    """Gives a port on every network that it was made with. `allot` and `release` are the methods that can be told."""

    def __init__(
        self, networks: Sequence[str] = ("blue",), *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        super().__init__(sleep=sleep)
        self.networks = set(networks)
        self.allotted: dict[CapsuleId, list[Port]] = {}
        """What each capsule holds, also if it was allotted only in part."""

    async def allot(self, capsule: Capsule) -> tuple[Port, ...]:
        async with self.call("allot", capsule.id):
            held = self.allotted.setdefault(capsule.id, [])
            for wish in capsule.spec.networks[len(held) :]:
                held.append(self._port(capsule, wish, len(held)))
            return tuple(held)

    async def release(self, capsule_id: CapsuleId) -> None:
        async with self.call("release", capsule_id):
            self.allotted.pop(capsule_id, None)

    def _port(self, capsule: Capsule, wish: NetworkWish, place: int) -> Port:
        if wish.network not in self.networks:
            raise errors.NotFound(f"Network {wish.network} could not be found.", code="network-not-found")
        port_id = uuid.uuid5(uuid.UUID(capsule.id), f"port {place}")
        address = wish.address or f"10.0.0.{len(self.allotted) + 1}"
        return Port(id=str(port_id), network_id=wish.network, mac=f"02:00:00:00:00:{place:02x}", addresses=(address,))
