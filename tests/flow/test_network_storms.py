"""Containers that come and go on networks while everything dies at random moments: in the end each has what it was granted, and nobody else's.

HIGGINS_STORMS=100 tries a hundred seeds instead of one.
"""

import asyncio
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from higgins import errors
from higgins.agent.agent import Custom
from higgins.link.messages import Hello, Welcome
from higgins.model.capsule import Capsule, Desired
from higgins.model.ids import NetworkId, PortId
from higgins.model.network import Port
from higgins.service.networks import NetworkNamed
from higgins.store import networks
from higgins.testing.networks import FakePlug
from higgins.testing.wire import Adversary
from tests.flow.harness import Cloud, Link, admin, alone, caller, cloud, container, request
from tests.flow.test_storms import both, machine, single_calls, the_agent, the_control_plane, the_link

ME, BOSS = caller(), admin("p1")
SEEDS = range(int(os.environ.get("HIGGINS_STORMS", "1")))
CONTAINERS = 10
VERBS = ("attach", "detach", "stop", "start", "delete")
WEIGHTS = (5, 4, 1, 2, 0.3)


class Client:
    """Asks one container for one thing after the other, and remembers on which networks it has to be."""

    def __init__(self, here: Cloud, dice: random.Random, offered: Sequence[NetworkId]) -> None:
        self._here = here
        self._dice = dice
        self._offered = offered
        self.made: Capsule
        self.granted: list[NetworkId] = []
        self.deleted = False

    async def live(self, wishes: int) -> None:
        await asyncio.sleep(self._dice.random() * 0.3)
        first = self._dice.choice(self._offered)
        asked = alone(container(), run=self._dice.random() < 0.7)
        named = [NetworkNamed(network=first)]
        self.made = await self._here.containers.create(ME, request(), asked, networks=named)
        self.granted = [first]
        for _ in range(wishes):
            await asyncio.sleep(self._dice.random() * 0.15)
            (verb,) = self._dice.choices(VERBS, WEIGHTS)
            try:
                await self._ask(verb, self._dice.choice(self._offered))
            except (errors.Conflict, errors.Invalid):
                continue  # Not in this state, or on that network already, or not on it.
            if self.deleted:
                return

    async def _ask(self, verb: str, network: NetworkId) -> None:
        verbs, which = self._here.containers, self.made.id
        match verb:
            case "attach":
                await verbs.attach_network(ME, request(), which, NetworkNamed(network=network))
                self.granted.append(network)
            case "detach":
                await verbs.detach_network(ME, request(), which, network)
                self.granted.remove(network)
            case "stop":
                await verbs.stop(ME, request(), which, timeout=0)
            case "start":
                await verbs.start(ME, request(), which)
            case _:
                await verbs.delete(BOSS, request(), which, force=True)
                self.deleted = True


async def anything(here: Cloud, plug: FakePlug, dice: random.Random) -> None:
    if dice.random() < 0.4:
        plug.fail(
            dice.choice(["list", "plug", "unplug"]), errors.Unavailable("not just now"), after=dice.random() < 0.5
        )
    else:
        await dice.choice([the_control_plane, the_agent, both, the_link, single_calls])(here, dice)


async def at_rest(here: Cloud, plug: FakePlug, clients: Sequence[Client]) -> None:
    """Each has what it was granted, in the database, on its host, and in what its owner sees; and there is nothing else."""
    ports: dict[PortId, Port] = {}
    for client in clients:
        found = await here.show(client.made)
        if client.deleted:
            assert found is None
            continue
        assert found is not None and found.settled and not found.status.failed and found.spec.refused is None
        assert [port.network_id for port in found.assignment.ports] == client.granted
        assert found.assignment.attachments == found.spec.attachments
        mine = {port.id: port for port in found.assignment.ports}
        allotted = await here.database.read(lambda db: networks.allotted(db, found.id))  # noqa: B023 - awaited here
        assert {one.id: (one.address,) for one in allotted.values()} == {
            key: one.addresses for key, one in mine.items()
        }
        if found.spec.desired is Desired.RUNNING:
            assert {key: plug.plugged[key][0] for key in mine} == mine
        ports |= mine
    assert len({(port.network_id, port.addresses) for port in ports.values()}) == len(ports)
    assert {*plug.plugged} <= {*ports}
    count = await here.database.read(lambda db: db.exec_driver_sql("SELECT count(*) FROM ports").scalar_one())
    assert count == len(ports)


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_dies_each_container_is_on_the_networks_it_was_granted_and_nothing_is_left_over(
    tmp_path: Path, seed: int
) -> None:
    dice, plug, runtime = random.Random(seed), FakePlug(), machine()
    plug.gone = runtime.gone
    lossy = Adversary(drop=0.1, double=0.2, delay=0.02, reorder=0.5, spares=(Hello, Welcome), seed=seed + 1)
    custom = Custom(sweep=0.3, retry=0.1, silence=1.0)
    async with cloud(
        tmp_path,
        pool="10.88.0.0/13",
        plug=plug,
        runtime=runtime,
        agent=custom,
        heartbeat=0.1,
        allotting=1.0,
        link=Link(lossy),
    ) as here:
        offered = [(await here.networks.create(ME, name=name)).id for name in ("one", "two", "three")]
        clients = [Client(here, random.Random(f"{seed} {number}"), offered) for number in range(CONTAINERS)]

        async def spoil() -> None:
            while True:
                await asyncio.sleep(dice.random() * 0.2)
                await anything(here, plug, dice)

        async with asyncio.TaskGroup() as group:
            spoiling = group.create_task(spoil())
            async with asyncio.TaskGroup() as living:
                for client in clients:
                    living.create_task(client.live(wishes=10))
            spoiling.cancel()
        await here.control.restart()
        await here.agent.restart()
        for again in range(200):
            try:
                await at_rest(here, plug, clients)
                break
            except AssertionError:
                if again == 199:
                    raise
                await asyncio.sleep(0.1)
        for client in clients:
            if not client.deleted:
                await here.containers.delete(BOSS, request(), client.made.id, force=True)
                client.deleted = True
        for client in clients:
            await here.until(client.made, None, within=20)
        await at_rest(here, plug, clients)
        await here.until_empty()
        for network in offered:
            await here.networks.delete(ME, network)
