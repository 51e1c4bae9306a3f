"""Capsules whose service, engine or parts die: each runs whole in one sandbox that stands, or nothing of it is left."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import aiodocker
import pytest

from higgins.drivers.engine import Engine
from tests.system.engine import BUSYBOX
from tests.system.faults import found
from tests.system.faults.claims import assert_no_claim_leaks
from tests.system.faults.engine_of_its_own import OwnEngine, Within
from tests.system.faults.leaks import assert_nothing_leaks
from tests.system.faults.stream import COMMAND, PATIENCE, Api, CutOff
from tests.system.servers import AllInOne

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

TEMPLATE = {
    "kind": "capsule",
    "capsuleVersion": "beta",
    "metadata": {},
    "spec": {
        "restartPolicy": "Always",
        "initContainers": [{"image": BUSYBOX, "command": ["true"]}],
        "containers": [{"image": BUSYBOX, "command": COMMAND}] * 2,
    },
}
MEMBERS = 3
"""Those of TEMPLATE."""


class Farm:
    """Capsules that somebody wants, some of which are given up again and again."""

    def __init__(self, server: AllInOne, token: str, seed: int) -> None:
        self.api = Api(server.url, token, nouns="capsules")
        self.server = server
        self.chance = random.Random(f"farm {seed}")
        self.wanted: set[str] = set()
        self.given_up: set[str] = set()

    async def during(self, faults: Callable[[], Awaitable[None]], *, plots: int = 4) -> None:
        """Plant and give up until all faults have happened."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(plots):
                group.create_task(self._tend(f"plot-{number}", over))
            await faults()
            over.set()

    async def _tend(self, name: str, over: asyncio.Event) -> None:
        round_ = 0
        while not over.is_set():
            round_ += 1
            planted = await self._plant(f"{name}-{round_}")
            await asyncio.sleep(self.chance.uniform(0, 4))
            if not over.is_set():
                self.wanted.discard(planted)
                self.given_up.add(planted)
                await self.api.surely("DELETE", f"/{planted}")

    async def _plant(self, name: str) -> str:
        template = TEMPLATE | {"metadata": {"name": name}}
        while True:
            try:
                answer = await self.api.call("POST", "", {"template": template})
            except CutOff:
                answer = await self.api.surely("GET", f"/{name}")
                if answer.status == 404:
                    continue
            assert answer.status in (200, 202), answer
            planted: str = answer.body["uuid"]
            self.wanted.add(planted)
            return planted

    async def reckon(self) -> None:
        """Everything comes to rest, and stays there; or an AssertionError with what is wrong."""
        deadline = time.monotonic() + PATIENCE
        while wrong := await self.wrong():
            assert time.monotonic() < deadline, "\n".join(wrong)
            await asyncio.sleep(0.5)
        await asyncio.sleep(1.5)
        wrong = await self.wrong()
        assert not wrong, "\n".join(wrong)

    async def wrong(self) -> list[str]:
        """What is not as it was asked for."""
        there = await on_engine(self.server)
        wrong = [f"{gone} was given up, and is shown" for gone in self.given_up if await self._status(gone) is not None]
        for capsule in self.wanted:
            members = there.pop(capsule, [])
            if (status := await self._status(capsule)) != "Running":
                wrong.append(f"{capsule} is {status}")
            wrong += [f"{capsule}: {each}" for each in amiss(members)]
        return wrong + [f"{left} is left of {capsule}" for capsule, left in there.items()]

    async def _status(self, capsule: str) -> str | None:
        answer = await self.api.surely("GET", f"/{capsule}")
        return None if answer.status == 404 else answer.body["status"]


def amiss(members: Iterable[Any]) -> list[str]:
    """What is wrong with what the engine has of one capsule: a sandbox that stands, two containers that run in it, one that has run to its end."""
    sandboxes = {each["Id"]: each for each in members if not each["HostConfig"]["NetworkMode"].startswith("container:")}
    if len(sandboxes) != 1:
        return [f"{len(sandboxes)} sandboxes"]
    ((sandbox_id, sandbox),) = sandboxes.items()
    inside = [each for each in members if each["Id"] != sandbox_id]
    wrong = [] if sandbox["State"]["Running"] else ["its sandbox does not stand"]
    for each in inside:
        if each["HostConfig"]["NetworkMode"] != f"container:{sandbox_id}":
            wrong.append(f"{each['Id']} belongs to another sandbox")
        elif each["State"]["Running"] and each["State"]["StartedAt"] < sandbox["State"]["StartedAt"]:
            wrong.append(f"{each['Id']} runs where a sandbox once stood")
    running = [each for each in inside if each["State"]["Running"]]
    if len(running) != MEMBERS - 1:
        wrong.append(f"{len(running)} containers run")
    return wrong


async def on_engine(server: AllInOne) -> dict[str, list[Any]]:
    """What the engine has of ours, by capsule."""
    there: dict[str, list[Any]] = {}
    for each in await found.on_engine(server.docker_url, server.owner):
        if each.marks is not None:
            there.setdefault(each.marks.capsule_id, []).append(each.whole)
    return there


async def test_capsules_of_a_service_that_is_killed_are_whole_or_gone(
    docker_url: str, tmp_path: Path, seed: int, times: int
) -> None:
    server = AllInOne(tmp_path, docker_url)
    moments = random.Random(seed)

    async def kill_it_again_and_again() -> None:
        for _ in range(4 * times):
            await asyncio.to_thread(server.wait_until_it_answers)
            await asyncio.sleep(moments.uniform(0.0, 3.0))
            server.kill()
            server.spawn()
        await asyncio.to_thread(server.wait_until_it_answers)

    try:
        await asyncio.to_thread(server.start)
        token = (await asyncio.to_thread(server.add, "ada", "office", "admin")).token()
        farm = Farm(server, token, seed)
        try:
            await farm.during(kill_it_again_and_again)
            await farm.reckon()
        finally:
            await farm.api.close()
        assert_no_claim_leaks(server.database)
        await assert_nothing_leaks(server)
        server.assert_no_traceback()
    finally:
        server.remove()


async def test_capsules_that_lose_a_part_are_made_whole_again(
    docker_url: str, tmp_path: Path, seed: int, times: int
) -> None:
    server = AllInOne(tmp_path, docker_url)
    chance = random.Random(seed)

    async def take_parts_away() -> None:
        for _ in range(12 * times):
            await asyncio.sleep(chance.uniform(0.2, 1.0))
            there = [member for members in (await on_engine(server)).values() for member in members]
            if there:
                await _harm(server, chance.choice(there)["Id"], chance.choice(["kill", "remove"]))

    try:
        await asyncio.to_thread(server.start)
        token = (await asyncio.to_thread(server.add, "ada", "office", "admin")).token()
        farm = Farm(server, token, seed)
        try:
            await farm.during(take_parts_away)
            await farm.reckon()
            # At rest, each sandbox once more.
            for members in (await on_engine(server)).values():
                (sandbox,) = [one for one in members if not one["HostConfig"]["NetworkMode"].startswith("container:")]
                await _harm(server, sandbox["Id"], chance.choice(["kill", "remove"]))
            await farm.reckon()
            await assert_nothing_leaks(server)
        finally:
            await farm.api.close()
        server.assert_no_traceback()
    finally:
        server.remove()


async def test_capsules_on_an_engine_that_is_killed_and_returns_run_again(
    own_engine: OwnEngine, tmp_path: Path, seed: int
) -> None:
    server = Within(tmp_path, own_engine)

    async def kill_the_engine() -> None:
        await asyncio.sleep(6)
        await asyncio.to_thread(own_engine.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(own_engine.start)
        await asyncio.sleep(2)

    try:
        await asyncio.to_thread(server.start)
        token = (await asyncio.to_thread(server.add, "ada", "office", "admin")).token()
        farm = Farm(server, token, seed)
        try:
            await farm.during(kill_the_engine, plots=2)
            await farm.reckon()
            await assert_nothing_leaks(server)
        finally:
            await farm.api.close()
        server.assert_no_traceback()
    finally:
        server.end()


async def _harm(server: AllInOne, container: str, how: str) -> None:
    async with Engine(server.docker_url) as engine:
        try:
            if how == "kill":
                await engine.call("POST", f"containers/{container}/kill")
            else:
                await engine.call("DELETE", f"containers/{container}", {"force": True})
        except aiodocker.DockerError:
            pass  # It was gone already, or had ended.
