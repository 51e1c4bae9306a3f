"""What every plug of a host has to keep, as tests: derive from the class and give it the fixtures."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

import pytest

from higgins import errors
from higgins.model.ids import NetworkId, PortId
from higgins.model.network import Port
from higgins.protocols.network import NetworkPlug

Start = Callable[[], Awaitable[int]]
End = Callable[[int], Awaitable[None]]
Addresses = Callable[[int], Awaitable[Mapping[str, tuple[str, ...]]]]


class PlugContract:
    """`plug` is the one to be tested, `stranger` another owner's on the same machine. `start` gives a process in a network namespace of its own, `end`
    ends one, and `addresses` looks at those of the interfaces in a process' namespace."""

    @pytest.fixture
    def plug(self) -> NetworkPlug:
        raise NotImplementedError

    @pytest.fixture
    def stranger(self) -> NetworkPlug:
        raise NotImplementedError

    @pytest.fixture
    def start(self) -> Start:
        raise NotImplementedError

    @pytest.fixture
    def end(self) -> End:
        raise NotImplementedError

    @pytest.fixture
    def addresses(self) -> Addresses:
        raise NotImplementedError

    async def test_what_is_plugged_in_is_there_and_listed_with_its_namespace(
        self, plug: NetworkPlug, start: Start, addresses: Addresses
    ) -> None:
        port, pid = a_port(), await start()
        await plug.plug(port, pid)
        assert await plug.list() == {port.id: plug.namespace(pid)}
        assert await addresses(pid) == {"eth0": port.addresses}
        await plug.unplug(port.id)

    async def test_plugging_in_twice_changes_nothing(
        self, plug: NetworkPlug, start: Start, addresses: Addresses
    ) -> None:
        port, pid = a_port(), await start()
        await plug.plug(port, pid)
        await plug.plug(port, pid)
        assert await plug.list() == {port.id: plug.namespace(pid)}
        assert await addresses(pid) == {"eth0": port.addresses}
        await plug.unplug(port.id)

    async def test_what_is_unplugged_is_gone(self, plug: NetworkPlug, start: Start, addresses: Addresses) -> None:
        port, pid = a_port(), await start()
        await plug.plug(port, pid)
        await plug.unplug(port.id)
        assert await plug.list() == {}
        assert await addresses(pid) == {}

    async def test_unplugging_twice_or_nothing_succeeds(self, plug: NetworkPlug, start: Start) -> None:
        port = a_port()
        await plug.unplug(port.id)
        await plug.plug(port, await start())
        await plug.unplug(port.id)
        await plug.unplug(port.id)
        assert await plug.list() == {}

    async def test_a_namespace_has_as_many_ports_as_were_plugged_in(
        self, plug: NetworkPlug, start: Start, addresses: Addresses
    ) -> None:
        pid = await start()
        first = a_port()
        second = replace(a_port("10.89.0.2", subnet="10.89.0.0/24", gateway="10.89.0.1"), interface="eth1")
        await together(plug.plug(first, pid), plug.plug(second, pid))
        assert await plug.list() == dict.fromkeys((first.id, second.id), plug.namespace(pid))
        assert await addresses(pid) == {"eth0": first.addresses, "eth1": second.addresses}
        await plug.unplug(first.id)
        assert await addresses(pid) == {"eth1": second.addresses}
        await plug.unplug(second.id)

    async def test_several_are_plugged_in_at_the_same_time(self, plug: NetworkPlug, start: Start) -> None:
        network = NetworkId(str(uuid.uuid4()))
        pids = [await start() for _ in range(4)]
        ports = [a_port(f"10.88.0.{number + 2}", network_id=network) for number in range(4)]
        await together(*(plug.plug(port, pid) for port, pid in zip(ports, pids, strict=True)))
        assert await plug.list() == {port.id: plug.namespace(pid) for port, pid in zip(ports, pids, strict=True)}
        await together(*(plug.unplug(port.id) for port in ports))
        assert await plug.list() == {}

    async def test_a_process_that_is_gone_has_no_namespace(self, plug: NetworkPlug, start: Start, end: End) -> None:
        pid = await start()
        await end(pid)
        with pytest.raises(errors.Unavailable):
            plug.namespace(pid)
        with pytest.raises(errors.Unavailable):
            await plug.plug(a_port(), pid)
        assert await plug.list() == {}

    async def test_a_port_whose_process_has_died_is_plugged_in_elsewhere(
        self, plug: NetworkPlug, start: Start, end: End, addresses: Addresses
    ) -> None:
        port, died, lives = a_port(), await start(), await start()
        await plug.plug(port, died)
        before = plug.namespace(died)
        await end(died)
        await until(lambda: unlisted(plug, port.id, before))
        await plug.plug(port, lives)
        assert await plug.list() == {port.id: plug.namespace(lives)}
        assert await addresses(lives) == {"eth0": port.addresses}
        await plug.unplug(port.id)

    async def test_a_port_whose_process_has_died_can_be_unplugged(
        self, plug: NetworkPlug, start: Start, end: End
    ) -> None:
        port, pid = a_port(), await start()
        await plug.plug(port, pid)
        await end(pid)
        await plug.unplug(port.id)
        assert await plug.list() == {}

    async def test_a_port_moves_from_one_namespace_to_another(
        self, plug: NetworkPlug, start: Start, addresses: Addresses
    ) -> None:
        port, old, new = a_port(), await start(), await start()
        await plug.plug(port, old)
        await plug.plug(port, new)
        assert await plug.list() == {port.id: plug.namespace(new)}
        assert (await addresses(old), await addresses(new)) == ({}, {"eth0": port.addresses})
        await plug.unplug(port.id)

    async def test_a_port_that_has_changed_is_brought_up_to_date(
        self, plug: NetworkPlug, start: Start, addresses: Addresses
    ) -> None:
        port, pid = a_port(), await start()
        await plug.plug(port, pid)
        await plug.plug(replace(port, addresses=("10.88.0.7", "10.88.0.8")), pid)
        assert await plug.list() == {port.id: plug.namespace(pid)}
        assert await addresses(pid) == {"eth0": ("10.88.0.7", "10.88.0.8")}
        await plug.unplug(port.id)

    async def test_owners_leave_alone_what_is_not_theirs(
        self, plug: NetworkPlug, stranger: NetworkPlug, start: Start, addresses: Addresses
    ) -> None:
        """Even if it bears the same ids."""
        port, mine, theirs = a_port(), await start(), await start()
        await plug.plug(port, mine)
        assert await stranger.list() == {}
        await stranger.plug(port, theirs)
        await plug.unplug(port.id)
        assert await plug.list() == {}
        assert await stranger.list() == {port.id: stranger.namespace(theirs)}
        assert await addresses(theirs) == {"eth0": port.addresses}
        await stranger.unplug(port.id)

    @pytest.mark.parametrize("seed", range(8))
    async def test_what_was_cut_off_is_listed_as_far_as_it_got_and_can_be_done_again_or_undone(
        self, plug: NetworkPlug, start: Start, addresses: Addresses, seed: int
    ) -> None:
        chance = random.Random(seed)
        port, pid = a_port(), await start()
        began = time.perf_counter()
        await plug.plug(port, pid)
        lasts = time.perf_counter() - began
        await cut(plug.unplug(port.id), chance.uniform(0, lasts))
        assert (await plug.list()).get(port.id) in (None, "", plug.namespace(pid))
        await plug.plug(port, pid)
        assert await plug.list() == {port.id: plug.namespace(pid)}
        assert await addresses(pid) == {"eth0": port.addresses}
        await plug.unplug(port.id)
        for _ in range(2):
            await cut(plug.plug(port, pid), chance.uniform(0, lasts))
            for left in await plug.list():
                await plug.unplug(left)
            assert (await plug.list(), await addresses(pid)) == ({}, {})


def a_port(address: str = "10.88.0.2", **said: Any) -> Port:
    """Of a network of its own, unless another is named."""
    number = int(address.rpartition(".")[2])
    ordinary: dict[str, Any] = {
        "id": PortId(str(uuid.uuid4())),
        "network_id": NetworkId(str(uuid.uuid4())),
        "mac": f"02:00:00:00:00:{number:02x}",
        "addresses": (address,),
        "subnet": "10.88.0.0/24",
        "gateway": "10.88.0.1",
    }
    return Port(**(ordinary | said))


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """All of it at the same time."""
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)


async def unlisted(plug: NetworkPlug, port_id: PortId, namespace: str) -> bool:
    """Whether a port is no longer said to be in this namespace."""
    return (await plug.list()).get(port_id) != namespace


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what takes its time: kernels clear up after they have answered."""
    async with asyncio.timeout(10):
        while not await true():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)


async def cut(work: Awaitable[None], after: float) -> None:
    """Let it go on for so many seconds, and not longer."""
    try:
        async with asyncio.timeout(after):
            await work
    except TimeoutError:
        pass
