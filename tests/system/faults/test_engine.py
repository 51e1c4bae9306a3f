"""The Docker Engine goes away and comes back, or loses what it was told to keep: the containers are there again as they were asked for."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import aiodocker
import pytest

from higgins.drivers.engine import Engine
from higgins.drivers.runtimes.docker import DockerRuntime
from higgins.model.capsule import Stage
from higgins.model.ids import CapsuleId, ContainerId
from higgins.protocols.runtime import Origin
from tests.system.faults.engine_of_its_own import OwnEngine, Within
from tests.system.faults.found import on_engine
from tests.system.faults.leaks import assert_nothing_leaks
from tests.system.faults.stream import streaming
from tests.system.faults.user import user_of
from tests.system.servers import AllInOne

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("ending", [OwnEngine.kill, OwnEngine.stop], ids=["killed", "stopped"])
async def test_an_engine_that_ends_and_returns_runs_what_it_ran(
    own_engine: OwnEngine, ending: Callable[[OwnEngine], None], tmp_path: Path, seed: int
) -> None:
    server = Within(tmp_path, own_engine)
    moments = random.Random(seed)

    async def end_it_and_start_it() -> None:
        for _ in range(2):
            await asyncio.sleep(moments.uniform(2.0, 4.0))
            await asyncio.to_thread(ending, own_engine)
            await asyncio.sleep(moments.uniform(0.0, 1.5))
            await asyncio.to_thread(own_engine.start)
        await asyncio.sleep(2)

    try:
        await asyncio.to_thread(server.start)
        async with streaming(server, seed, clients=8) as stream:
            await stream.during(end_it_and_start_it)
        server.assert_no_traceback()
    finally:
        server.end()


async def test_a_start_of_which_the_engine_knows_nothing_is_not_left_running_beside_another(
    own_engine: OwnEngine, tmp_path: Path
) -> None:
    server = Within(tmp_path, own_engine)
    try:
        await asyncio.to_thread(server.start)
        async with user_of(server) as user:
            container = await user.run()
            await user.until(container, "Running")
            (first,) = await _listed(server)
            (number,) = _shells(own_engine)
            await asyncio.to_thread(own_engine.kill_before_it_writes_down_a_start, first)
            await asyncio.to_thread(own_engine.start)
            # An older engine would start it beside what runs; a newer one ends that first.
            while number in (running := _shells(own_engine)) or not running:
                await asyncio.sleep(0.1)
            await user.until(container, "Running")
            assert len(_shells(own_engine)) == 1
            await user.forget(container)
            # What is being made is for the store of sandboxes.
            assert set(own_engine.processes().values()) <= {"/pause", "runc init"}
            await assert_nothing_leaks(server)
        server.assert_no_traceback()
    finally:
        server.end()


def _shells(engine: OwnEngine) -> list[int]:
    return [number for number, command in engine.processes().items() if command.startswith("sh ")]


async def test_the_image_of_sandboxes_is_made_where_it_is_missing(own_engine: OwnEngine) -> None:
    sandbox = ContainerId(str(uuid4()))
    origin = Origin(capsule_id=CapsuleId(sandbox), project_id="p", epoch=1, restarts=0, handler=None)
    async with DockerRuntime(url=own_engine.url, owner="first") as runtime:
        await runtime.create_sandbox(origin, sandbox)
        await runtime.start(sandbox)
        assert (await runtime.list([sandbox]))[sandbox].stage is Stage.RUNNING


async def test_what_is_removed_behind_its_back_is_made_again(docker_url: str, tmp_path: Path, seed: int) -> None:
    server = AllInOne(tmp_path, docker_url)
    chance = random.Random(seed)

    async def remove_at_random() -> None:
        for _ in range(25):
            await asyncio.sleep(chance.uniform(0.1, 0.6))
            await _remove(server, lambda found: [chance.choice(found)] if found else [])

    try:
        await asyncio.to_thread(server.start)
        async with streaming(server, seed) as stream:
            await stream.during(remove_at_random)
            await stream.reckon()
            # Now at rest: all of them, whatever they do.
            assert await _remove(server, lambda found: found) > 3
        server.assert_no_traceback()
    finally:
        server.remove()


async def _remove(server: AllInOne, choice: Callable[[list[str]], list[str]]) -> int:
    """As `docker rm -f` does; how many."""
    chosen = choice(await _listed(server))
    async with Engine(server.docker_url) as engine:
        for victim in chosen:
            try:
                await engine.call("DELETE", f"containers/{victim}", {"force": True})
            except aiodocker.DockerError as refusal:
                # Somebody else was quicker, or is at it.
                if refusal.status not in (404, 409):
                    raise
        return len(chosen)


async def _listed(server: AllInOne) -> list[str]:
    """The engine's ids of all that is ours, but for the sandboxes."""
    return [each.whole["Id"] for each in await on_engine(server.docker_url, server.owner) if not each.is_sandbox]
