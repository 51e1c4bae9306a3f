"""Higgins is killed, again and again: what was asked for is there in the end, once, and nothing else."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.system.faults.stream import streaming
from tests.system.servers import Agent, AllInOne, Control

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]


async def test_all_in_one_killed_at_random_moments_forgets_nothing_and_doubles_nothing(
    docker_url: str, tmp_path: Path, seed: int, times: int
) -> None:
    server = AllInOne(tmp_path, docker_url)
    moments = random.Random(seed)

    async def kill_it_again_and_again() -> None:
        for _ in range(8 * times):
            # One in five comes before it answers at all.
            if moments.random() < 0.8:
                await asyncio.to_thread(server.wait_until_it_answers)
            await asyncio.sleep(moments.uniform(0.0, 2.0))
            server.kill()
            server.spawn()
        await asyncio.to_thread(server.wait_until_it_answers)

    try:
        await asyncio.to_thread(server.start)
        async with streaming(server, seed) as stream:
            await stream.during(kill_it_again_and_again)
        assert stream.asked > 20 * times
        server.assert_no_traceback()
    finally:
        server.remove()


@pytest.mark.parametrize("victim", ["agent", "control plane"])
async def test_one_half_killed_again_and_again_costs_the_other_nothing(
    docker_url: str, tmp_path: Path, seed: int, times: int, victim: str
) -> None:
    control = Control(tmp_path, docker_url)
    agent = Agent(control)
    moments = random.Random(seed)

    async def kill_it_again_and_again() -> None:
        for _ in range(4 * times):
            await asyncio.sleep(moments.uniform(0.3, 4.0))
            if victim == "agent":
                agent.kill()
                agent.spawn()
            else:
                control.kill()
                control.spawn()
        await asyncio.sleep(2)

    try:
        await asyncio.to_thread(control.start)
        await asyncio.to_thread(agent.join)
        async with streaming(control, seed) as stream:
            await stream.during(kill_it_again_and_again)
        control.assert_no_traceback()
        agent.assert_no_traceback()
    finally:
        agent.kill()
        control.remove()
