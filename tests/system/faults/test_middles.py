"""Whoever dies in the middle of something long, it comes to its end: a pull, a commit, a rebuild, a repair, a change of limits, a stream."""

import asyncio
import contextlib
import random
import traceback
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.system.engine import forget
from tests.system.faults.claims import assert_no_claim_leaks
from tests.system.faults.deeds import BOUND, DEEDS, PUBLISHED, Deed, Ground
from tests.system.faults.leaks import assert_nothing_leaks
from tests.system.faults.stream import CutOff
from tests.system.registries import Slow, publish, registry
from tests.system.servers import Agent, Control

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

RATE = 150_000
"""Bytes a second that a registry gives: a pull lasts some seconds."""


@pytest.mark.parametrize("victim", ["agent", "control plane", "client"])
async def test_whoever_dies_in_the_middle_all_that_was_under_way_comes_to_its_end(
    docker_url: str, tmp_path: Path, seed: int, times: int, victim: str
) -> None:
    control = Control(tmp_path, docker_url)
    agent = Agent(control)
    chance = random.Random(f"{seed}/{victim}")
    with registry(tmp_path / "registry") as there, Slow(there.address, RATE) as slow:
        try:
            await asyncio.to_thread(control.start)
            await asyncio.to_thread(agent.join)
            token = (await asyncio.to_thread(control.add, "ada", "office", "admin")).token()
            ground = Ground(server=control, token=token, registry=slow.address)
            for number in range(times):
                for name in PUBLISHED:
                    await publish(there, f"deeds/{name}:{number}", layers=2, size=150_000)
                async with _under_way(ground, number) as deeds:
                    await _die(deeds, control, agent, victim, chance)
            assert_no_claim_leaks(control.database)
            await assert_nothing_leaks(control)
            control.assert_no_traceback()
            agent.assert_no_traceback()
        finally:
            agent.kill()
            control.remove()
            for name in PUBLISHED:
                for number in range(times):
                    await forget(f"{slow.address}/deeds/{name}:{number}")


@contextlib.asynccontextmanager
async def _under_way(ground: Ground, number: int) -> AsyncIterator[list[Deed]]:
    """Everything is prepared; what was done is reckoned afterwards."""
    deeds = [deed(ground, number) for deed in DEEDS]
    try:
        async with asyncio.TaskGroup() as group:
            for deed in deeds:
                group.create_task(deed.prepare())
        yield deeds
        await _all(_Said(deed, deed.reckon()) for deed in deeds)
    finally:
        for deed in deeds:
            await deed.close()


async def _die(deeds: list[Deed], control: Control, agent: Agent, victim: str, chance: random.Random) -> None:
    """Each begins so that the death comes at some moment of its own."""
    death = asyncio.get_running_loop().time() + 0.2 + max(deed.lasts for deed in deeds)
    begins = [death - chance.uniform(0.0, deed.lasts) for deed in deeds]
    away = chance.uniform(0.0, 1.0)

    async def kill() -> None:
        await _until(death)
        if victim != "client":
            dying = agent if victim == "agent" else control
            await asyncio.to_thread(dying.kill)
            await asyncio.sleep(away)
            dying.spawn()

    async with asyncio.TaskGroup() as group:
        group.create_task(kill())
        await _all(
            _Said(deed, _do(deed, at, death if victim == "client" and deed.by_client else None))
            for deed, at in zip(deeds, begins, strict=True)
        )
    await asyncio.to_thread(control.wait_until_it_answers)


async def _do(deed: Deed, at: float, death: float | None) -> None:
    """`death`: when the client dies."""
    await _until(at)
    bound = asyncio.get_running_loop().time() + BOUND + deed.lasts
    try:
        async with asyncio.timeout_at(death or bound):
            try:
                await deed.begin()
            except asyncio.CancelledError:
                # Before anybody can say goodbye.
                await deed.doer.close()
                raise
    except (CutOff, aiohttp.ClientConnectionError) as cut:
        print(f"{deed.name} was told: {cut}"[:200])
    except TimeoutError:
        assert death is not None, f"it did not hear within {BOUND} s that nobody is there any more"


@dataclass(frozen=True, slots=True)
class _Said:
    """What is done about a deed."""

    deed: Deed
    work: Coroutine[Any, Any, None]


async def _all(works: Iterable[_Said]) -> None:
    """All of them to their end, then an AssertionError with all that went wrong."""
    wrong: list[str] = []

    async def one(said: _Said) -> None:
        try:
            await said.work
        except Exception as error:  # noqa: BLE001 - the others have their say too
            wrong.append(f"{said.deed.name}: {error!r} {_place(error)}")

    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(one(work))
    assert not wrong, "\n".join(wrong)


def _place(error: Exception) -> str:
    return " < ".join(
        f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(error.__traceback__)[-4:])
    )


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))
