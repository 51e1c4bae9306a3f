"""Random wishes for twenty containers while everything dies at random moments: in the end everything is where it was asked to be.

HIGGINS_STORMS=100 tries a hundred seeds of each kind instead of a few.
"""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import replace
from pathlib import Path

import pytest

from higgins import errors
from higgins.agent.agent import Custom
from higgins.link.messages import Hello, Welcome
from higgins.logic.statusword import Status
from higgins.model.capsule import Capsule, Resources, Stage
from higgins.model.quota import Limits, Usage
from higgins.store import capsules, quotas
from higgins.testing.images import FakeImages
from higgins.testing.runtime import FakeRuntime
from higgins.testing.wire import Adversary
from tests.flow.harness import Cloud, Link, admin, alone, caller, cloud, container, request

ME, BOSS = caller(), admin("p1")
SEEDS = range(int(os.environ.get("HIGGINS_STORMS", "1")))
CONTAINERS = 20
VERBS = ("start", "stop", "reboot", "pause", "unpause", "delete", "delete_force")
WEIGHTS = (3, 3, 3, 2, 2, 0.3, 0.3)
LEADS_TO = {
    "start": Status.RUNNING,
    "stop": Status.STOPPED,
    "reboot": Status.RUNNING,
    "pause": Status.PAUSED,
    "unpause": Status.RUNNING,
    "delete": None,
    "delete_force": None,
}
STAGES: Mapping[Status, Set[Stage | None]] = {
    Status.CREATED: {Stage.CREATED},
    Status.RUNNING: {Stage.RUNNING},
    Status.STOPPED: {Stage.EXITED, None},
    Status.PAUSED: {Stage.PAUSED},
}

Sabotage = Callable[[Cloud, random.Random], Awaitable[None]]


class Client:
    """Asks one container for one thing after the other, and remembers what was granted last."""

    def __init__(self, here: Cloud, dice: random.Random) -> None:
        self._here = here
        self._dice = dice
        self.made: Capsule
        self.expected: Status | None
        self.granted: list[str] = []

    async def live(self, wishes: int) -> None:
        run = self._dice.random() < 0.7
        await asyncio.sleep(self._dice.random() * 0.3)
        wanted = container(limits=Resources(cpu=0.5, memory=64))
        self.made = await self._here.containers.create(ME, request(), alone(wanted, run=run))
        self.expected = Status.RUNNING if run else Status.CREATED
        for _ in range(wishes):
            await asyncio.sleep(self._dice.random() * 0.15)
            (verb,) = self._dice.choices(VERBS, WEIGHTS)
            try:
                await self._ask(verb)
            except errors.Conflict:
                continue  # Not in this state.
            self.expected = LEADS_TO[verb]
            self.granted.append(verb)
            if self.expected is None:
                return

    async def _ask(self, verb: str) -> None:
        verbs, which = self._here.containers, self.made.id
        match verb:
            case "stop" | "reboot":
                await getattr(verbs, verb)(ME, request(), which, timeout=0)
            case "delete":
                await verbs.delete(ME, request(), which, stop=True)
            case "delete_force":
                await verbs.delete(BOSS, request(), which, force=True)
            case _:
                await getattr(verbs, verb)(ME, request(), which)


async def storm(here: Cloud, seed: int, sabotage: Sabotage) -> None:
    """Clients and a saboteur side by side; then calm, and then the truth."""
    dice = random.Random(seed)
    clients = [Client(here, random.Random(f"{seed} {number}")) for number in range(CONTAINERS)]

    async def spoil() -> None:
        while True:
            await asyncio.sleep(dice.random() * 0.2)
            await sabotage(here, dice)

    async with asyncio.TaskGroup() as group:
        spoiling = group.create_task(spoil())
        async with asyncio.TaskGroup() as living:
            for client in clients:
                living.create_task(client.live(wishes=8))
        spoiling.cancel()
    here.runtime.come_back()
    await here.control.restart()
    await here.agent.restart()
    for client in clients:
        await here.until(client.made, client.expected, within=20)
    left = [client for client in clients if client.expected is not None]
    # What failed last is tried again after a pause.
    for again in range(100):
        try:
            await all_is_right(here, left)
            break
        except AssertionError:
            if again == 99:
                raise
            await asyncio.sleep(0.1)
    started = here.runtime.starts.copy()
    await asyncio.sleep(0.1)
    await all_is_right(here, left)
    assert here.runtime.starts == started, "it does not rest"


async def all_is_right(here: Cloud, left: list[Client]) -> None:
    there = await here.runtime.list()
    assert set(there) <= {client.made.spec.containers[0].id for client in left}
    for client in left:
        seen = there.get(client.made.spec.containers[0].id)
        assert client.expected is not None
        assert (seen.stage if seen is not None else None) in STAGES[client.expected]
        found = await here.show(client.made)
        assert found is not None and found.assignment.given_up is None and found.status.reason is None
        assert seen is None or seen.epoch == found.assignment.epoch
        still_open = [one for one in await here.containers.actions(ME, found.id) if one.finished_at is None]
        assert still_open == []
        assert found.spec.restarts == client.granted.count("start") + client.granted.count("reboot")
    assert await here.database.read(capsules.next_deadline) is None
    claimed = sum((client.made.spec.claim() for client in left), Resources())
    assert (await here.host()).allocated == claimed
    used = (await here.database.read(lambda db: quotas.of(db, ME.project_id, Limits()))).used
    assert used == Usage(containers=len(left), memory=claimed.memory, microcores=round(claimed.cpu * 1_000_000))


# What dies.


async def the_control_plane(here: Cloud, dice: random.Random) -> None:
    await here.control.kill()
    await asyncio.sleep(dice.random() * 0.1)
    here.control.start()


async def the_agent(here: Cloud, dice: random.Random) -> None:
    await here.agent.kill()
    await asyncio.sleep(dice.random() * 0.1)
    here.agent.start()


async def both(here: Cloud, dice: random.Random) -> None:
    await here.agent.kill()
    await here.control.kill()
    await asyncio.sleep(dice.random() * 0.1)
    here.control.start()
    here.agent.start()


async def the_runtime(here: Cloud, dice: random.Random) -> None:
    """It goes away, and what runs dies with it, as an engine writes down when it is back."""
    here.runtime.go_away()
    await asyncio.sleep(dice.random() * 0.1)
    for one in list(here.runtime._kept.values()):
        if one.seen.stage in (Stage.RUNNING, Stage.PAUSED) and dice.random() < 0.7:
            here.runtime.end(one.container.id, 255)
    here.runtime.come_back()


async def single_calls(here: Cloud, dice: random.Random) -> None:
    method = dice.choice(["list", "create", "start", "stop", "remove", "pause", "unpause", "inventory"])
    here.runtime.fail(method, errors.Unavailable("not just now"), after=dice.random() < 0.5)


async def containers_behind_our_back(here: Cloud, dice: random.Random) -> None:
    # Not those whose pause would be lost with them: what is made again after that is started and paused again.
    there = list(here.runtime._kept)
    if there:
        here.runtime.forget(dice.choice(there))


async def the_link(here: Cloud, dice: random.Random) -> None:
    here.link.cut()


async def nothing(here: Cloud, dice: random.Random) -> None:
    return


async def anything(here: Cloud, dice: random.Random) -> None:
    await dice.choice(
        [
            the_control_plane,
            the_agent,
            both,
            the_runtime,
            single_calls,
            single_calls,
            containers_behind_our_back,
            the_link,
        ]
    )(here, dice)


def machine() -> FakeRuntime:
    return FakeRuntime(images=FakeImages(present=("busybox",)), clock=time.time)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "sabotage",
    [
        nothing,
        the_control_plane,
        the_agent,
        both,
        the_runtime,
        single_calls,
        containers_behind_our_back,
        the_link,
        anything,
    ],
)
async def test_whatever_dies_in_the_end_everything_is_where_it_was_asked_to_be(
    tmp_path: Path, sabotage: Sabotage, seed: int
) -> None:
    custom = Custom(sweep=0.3, retry=0.1, silence=1.0)
    async with cloud(tmp_path, runtime=machine(), agent=custom, heartbeat=0.2) as here:
        await storm(here, seed, sabotage)


LOSSY = Adversary(drop=0.2, double=0.2, delay=0.05, reorder=0.5, spares=(Hello, Welcome))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sabotage", [nothing, the_link, anything])
async def test_a_link_that_loses_doubles_delays_and_reorders_changes_nothing_in_the_end(
    tmp_path: Path, sabotage: Sabotage, seed: int
) -> None:
    custom = Custom(sweep=0.3, retry=0.1, silence=1.0)
    link = Link(replace(LOSSY, seed=seed + 1))
    async with cloud(tmp_path, runtime=machine(), agent=custom, heartbeat=0.1, link=link) as here:
        await storm(here, seed, sabotage)
