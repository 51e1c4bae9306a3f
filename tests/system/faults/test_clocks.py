"""A clock is set while everything runs, the agent's or the control plane's: nothing is started, stopped, lost or given up for it."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.system.engine import missing
from tests.system.faults.claims import assert_no_claim_leaks
from tests.system.faults.deeds import Deed, Ground, Streaming, Vanishing
from tests.system.faults.leaks import assert_nothing_leaks
from tests.system.servers import Agent, Control

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
FAR = 1800
"""Seconds: farther than any lease, not as far as a token is good for."""


class Clock:
    """The time of day of one process, which can be set. What only goes forward does so as everywhere."""

    def __init__(self, file: Path) -> None:
        if LIBRARY is None:
            missing("A clock cannot be set here; install Debian's package libfaketime.")
        self._file = file
        self.set(0)
        self.variables = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead: int) -> None:
        """So many seconds ahead of the true time, or behind it."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{ahead:+d}")
        fresh.replace(self._file)


class Waiting(Deed):
    """A container that ends again and again, and is started again each time after a pause."""

    body: ClassVar[dict[str, Any]] = {"command": ["sh", "-c", "sleep 1; exit 1"], "restart_policy": {"Name": "always"}}

    async def prepare(self) -> None:
        answer = await self.watcher.call("POST", "", {"name": self.name, "image": "higgins-test/busybox"} | self.body)
        self.id = answer.body["uuid"]
        await self.until("Created")
        assert (await self.watcher.call("POST", f"/{self.id}/start")).status == 202

    async def runs(self) -> str:
        there = await self.there()
        return str(there[0]["State"]["StartedAt"]) if there else ""


@pytest.mark.parametrize("whose", ["agent", "control plane"])
async def test_a_clock_that_jumps_disturbs_nothing(docker_url: str, tmp_path: Path, whose: str) -> None:
    control = Control(tmp_path, docker_url, {"hosts": {"lease": 6, "heartbeat": 2}})
    agent = Agent(control)
    clock = Clock(tmp_path / "ahead")
    (agent if whose == "agent" else control).variables = clock.variables
    deeds: list[Deed] = []
    try:
        await asyncio.to_thread(control.start)
        await asyncio.to_thread(agent.join)
        token = (await asyncio.to_thread(control.add, "ada", "office", "admin")).token()
        ground = Ground(server=control, token=token, registry="")
        steady, waiting = Streaming(ground, 0), Waiting(ground, 0)
        deeds += [steady, waiting]
        for deed in deeds:
            await deed.prepare()
        for number, ahead in enumerate([FAR, -FAR]):
            before = await waiting.runs()
            clock.set(ahead)
            for _ in range(20):
                shown = await steady.shown()
                assert (shown["status"], shown["task_state"]) == ("Running", None), (ahead, shown)
                await asyncio.sleep(0.2)
            await steady.assert_untouched()
            vanishing = Vanishing(ground, number)
            deeds.append(vanishing)
            await vanishing.prepare()
            await vanishing.begin()
            await vanishing.reckon()

            async def is_started_again() -> bool:
                return await waiting.runs() != before  # noqa: B023 - awaited here

            await waiting.until_true(is_started_again, f"is started again, {ahead} seconds ahead", within=15)
        await steady.reckon()
        await waiting.forget()
        assert_no_claim_leaks(control.database)
        await assert_nothing_leaks(control)
        control.assert_no_traceback()
        agent.assert_no_traceback()
    finally:
        for deed in deeds:
            await deed.close()
        agent.kill()
        control.remove()
