"""An agent on a wire in memory, with the control plane's words put into the test's mouth."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from higgins.agent.agent import Agent, Custom, Identity
from higgins.agent.shelf import Shelf
from higgins.aio.beside import beside
from higgins.link.messages import Changed, Heartbeat, Hello, HostMessage, Welcome, Whole, Withdrawn, Work, roll
from higgins.model.capsule import CapsuleSpec, CapsuleStatus, Stage
from higgins.model.ids import CapsuleId, ContainerId, HostId, PortId, ProjectId
from higgins.model.network import Port
from higgins.testing.builders import container, port, spec, wish
from higgins.testing.images import FakeImages
from higgins.testing.networks import FakePlug
from higgins.testing.runtime import FakeRuntime
from higgins.testing.wire import Wire
from tests.patience import PATIENCE


class Conversation:
    """The control plane's side of one session."""

    def __init__(self, wire: Wire, runtime: FakeRuntime, plug: FakePlug) -> None:
        self.plug = plug
        self.wire = wire
        self.say = wire.control.send
        self.runtime = runtime
        self.heard: list[HostMessage] = []

    async def listen(self) -> None:
        async for message in self.wire.control:
            self.heard.append(message)
            if isinstance(message, Hello):
                await self.say(Welcome(session=1, heartbeat=0.02))

    async def assign(self, number: int, *work: Work) -> None:
        """All that there is."""
        await self.say(Changed(number=number, work=work))
        await self.say(Whole(number=number, capsules=tuple(one.capsule_id for one in work)))

    async def heartbeat(self) -> Heartbeat:
        """The next one but one, so that it knows what was said before."""
        for _ in range(2):
            count = len(self.heard)
            async with asyncio.timeout(PATIENCE):
                while not any(isinstance(each, Heartbeat) for each in self.heard[count:]):
                    await asyncio.sleep(0.005)
        return next(each for each in reversed(self.heard) if isinstance(each, Heartbeat))

    async def until_there(self, *ids: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while set(await self.runtime.list()) != set(ids):
                await asyncio.sleep(0.005)


@asynccontextmanager
async def connected(plug: FakePlug | None = None) -> AsyncIterator[Conversation]:
    wire, runtime, plug = Wire(), FakeRuntime(clock=time.time), plug or FakePlug()
    plug.gone = runtime.gone

    @asynccontextmanager
    async def connect() -> AsyncIterator[object]:
        yield wire.host

    identity = Identity(host_id=HostId("h1"), name="h1")
    shelf = Shelf(FakeImages(present=("busybox",)))
    agent = Agent(identity, connect, runtime, shelf, Custom(sweep=0.05), plug=plug)  # type: ignore[arg-type]
    talk = Conversation(wire, runtime, plug)
    async with beside() as start:
        start(talk.listen())
        start(agent.run())
        await talk.heartbeat()  # It has been welcomed.
        yield talk


def work(wanted: CapsuleSpec, epoch: int = 1, *ports: Port) -> Work:
    return Work(
        capsule_id=CapsuleId(wanted.containers[0].id),
        project_id=ProjectId("p1"),
        epoch=epoch,
        spec=wanted,
        status=CapsuleStatus(),
        ports=ports,
    )


async def test_having_heard_nothing_is_not_told_as_having_nothing() -> None:
    """Else a lost first message would never be said again, and strays would stay for ever."""
    async with connected() as talk:
        assert (await talk.heartbeat()).known != roll(())
        await talk.say(Whole(number=1, capsules=()))
        assert (await talk.heartbeat()).known == roll(())


async def test_with_a_part_of_the_whole_assignment_lost_nothing_is_removed_and_all_is_asked_for_again() -> None:
    plug, _ = a_stray()
    one, lost = spec(container()), spec(container())
    async with connected(plug) as talk:
        await talk.say(Changed(number=1, work=(work(one),)))
        await talk.say(Whole(number=1, capsules=(work(one).capsule_id, work(lost).capsule_id)))
        assert (await talk.heartbeat()).known not in (roll([work(one)]), roll([work(one), work(lost)]))
        await asyncio.sleep(0.2)
        assert len(plug.plugged) == 1, "it may belong to what was lost"
        await talk.assign(2, work(one), work(lost))
        await until_plugged(talk)


async def test_what_was_said_earlier_and_comes_later_changes_nothing() -> None:
    one, other = spec(container()), spec(container())
    async with connected() as talk:
        await talk.say(Changed(number=3, work=(work(one),)))
        await talk.say(Whole(number=1, capsules=()))
        await talk.say(Withdrawn(number=2, capsules=(work(one).capsule_id,)))
        await talk.say(Withdrawn(number=5, capsules=(work(other).capsule_id,)))
        await talk.say(Changed(number=4, work=(work(other),)))
        assert (await talk.heartbeat()).known == roll([work(one)])
        await talk.until_there(one.containers[0].id)


async def test_what_is_in_no_whole_assignment_any_more_is_removed() -> None:
    one, other = spec(container()), spec(container())
    async with connected() as talk:
        await talk.assign(1, work(one), work(other))
        await talk.until_there(one.containers[0].id, other.containers[0].id)
        await talk.assign(2, work(one))
        await talk.until_there(one.containers[0].id)


async def test_withdrawn_and_assigned_anew_it_is_made_anew() -> None:
    one = spec(container())
    which = one.containers[0].id
    async with connected() as talk:
        await talk.assign(1, work(one))
        await talk.until_there(which)
        await talk.say(Withdrawn(number=2, capsules=(work(one).capsule_id,)))
        await talk.say(Changed(number=3, work=(work(one, epoch=2),)))
        async with asyncio.timeout(PATIENCE):
            while True:
                seen = (await talk.runtime.list()).get(which)
                if seen is not None and seen.epoch == 2 and seen.stage is Stage.RUNNING:
                    break
                await asyncio.sleep(0.005)


# Networks.


def a_stray() -> tuple[FakePlug, PortId]:
    """What somebody before us plugged in."""
    plug, left = FakePlug(), port()
    plug.plugged[left.id] = left, "net:[1]"
    return plug, left.id


async def until_plugged(talk: Conversation, *ports: Port) -> None:
    async with asyncio.timeout(PATIENCE):
        while set(talk.plug.plugged) != {each.id for each in ports}:
            await asyncio.sleep(0.005)


async def test_what_is_plugged_in_for_nobody_is_unplugged_but_only_once_the_whole_assignment_is_known() -> None:
    plug, _ = a_stray()
    mine = port()
    wanted = spec(sandbox=ContainerId("sandbox"), networks=(wish("blue"),))
    async with connected(plug) as talk:
        await talk.say(Changed(number=1, work=(work(wanted, 1, mine),)))
        await asyncio.sleep(0.2)
        assert len(plug.plugged) == 2, "it may belong to what nobody has spoken of yet"
        await talk.assign(2, work(wanted, 1, mine))
        await until_plugged(talk, mine)


async def test_of_what_is_withdrawn_the_ports_go_before_the_sandbox() -> None:
    mine = port()
    wanted = spec(sandbox=ContainerId("sandbox"), networks=(wish("blue"),))
    async with connected() as talk:
        await talk.assign(1, work(wanted, 1, mine))
        await until_plugged(talk, mine)
        await talk.until_there(wanted.containers[0].id, "sandbox")
        await talk.say(Withdrawn(number=2, capsules=(CapsuleId(wanted.containers[0].id),)))
        async with asyncio.timeout(PATIENCE):
            while talk.runtime.count("remove") == 0:
                await asyncio.sleep(0.001)
        assert talk.plug.plugged == {}
        await talk.until_there()


async def test_a_port_that_somebody_took_away_is_back_after_the_next_look_at_everything() -> None:
    mine = port()
    wanted = spec(sandbox=ContainerId("sandbox"), networks=(wish("blue"),))
    async with connected() as talk:
        await talk.assign(1, work(wanted, 1, mine))
        await until_plugged(talk, mine)
        await talk.until_there(wanted.containers[0].id, "sandbox")
        await talk.plug.unplug(mine.id)
        await until_plugged(talk, mine)


async def test_a_host_that_attaches_to_networks_says_that_it_can() -> None:
    async with connected() as talk:
        assert "networks" in (await talk.heartbeat()).inventory.capabilities
