"""Sandboxes on a real engine: those in store are taken whole and by one alone, and a container in one finds a network like any other."""

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

import aiodocker
import msgspec
import pytest

from higgins.aio.beside import beside
from higgins.drivers.engine import Engine
from higgins.drivers.runtimes.docker import DockerRuntime, terms
from higgins.model.capsule import Container, Observation, Stage
from higgins.model.ids import CapsuleId, ContainerId
from higgins.protocols.runtime import Origin
from higgins.testing.runtime_contract import PATIENCE, a_container, look, until
from tests.system.engine import BUSYBOX, docker_url

__all__ = ["docker_url"]

pytestmark = pytest.mark.docker

NAMESERVER = "169.254.53.53"


def an_origin(epoch: int = 1) -> Origin:
    """Of a container alone, with a sandbox of its own."""
    capsule, sandbox = CapsuleId(str(uuid4())), ContainerId(str(uuid4()))
    return Origin(capsule_id=capsule, project_id="p", epoch=epoch, restarts=0, handler=None, sandbox=sandbox)


def sandbox_of(origin: Origin) -> ContainerId:
    assert origin.sandbox is not None
    return origin.sandbox


@dataclass
class Place:
    """One owner's part of an engine."""

    engine: Engine
    owner: str

    @asynccontextmanager
    async def agent(self, warm: int = 2) -> AsyncIterator[DockerRuntime]:
        """A driver that remembers nothing, and keeps the store."""
        async with (
            DockerRuntime(url=self.engine.url, owner=self.owner, warm_sandboxes=warm, nameserver=NAMESERVER) as runtime,
            beside() as start,
        ):
            start(runtime.keep_warm())
            yield runtime

    async def there(self, **filtered: list[str]) -> Mapping[str, str]:
        """Everything, by name, with its id."""
        filters = json.dumps({"label": [f"{terms.OWNER}={self.owner}"], **filtered})
        listed = await self.engine.call("GET", "containers/json", {"all": True, "filters": filters})
        return {each["Names"][0][1:]: each["Id"] for each in msgspec.json.decode(listed)}

    async def in_store(self, count: int) -> set[str]:
        """The ids of those in store, once there are so many."""
        async with asyncio.timeout(3 * PATIENCE):
            while True:
                running = await self.there(status=["running"])
                found = {each for name, each in running.items() if "-warm-" in name}
                if len(found) == count:
                    await asyncio.sleep(0.05)  # The last one is written down.
                    return found
                await asyncio.sleep(0.1)


@pytest.fixture
async def place(docker_url: str) -> AsyncIterator[Place]:
    async with Engine(docker_url) as engine:
        place = Place(engine, f"sandboxes-{uuid4()}")
        yield place
        # What an agent that was cut off has asked for is made all the same, a moment later.
        for pause in (0.5, 1.0, 0.0):
            for name in await place.there():
                with contextlib.suppress(aiodocker.DockerError):
                    await engine.call("DELETE", f"containers/{name}", {"force": True})
            await asyncio.sleep(pause)


async def take(runtime: DockerRuntime, origin: Origin) -> Observation:
    await runtime.create_sandbox(origin, sandbox_of(origin), bare=True)
    return (await runtime.list([sandbox_of(origin)]))[sandbox_of(origin)]


# The store


async def test_the_first_is_made_and_from_then_on_there_is_a_store_that_nobody_is_shown(place: Place) -> None:
    async with place.agent() as runtime:
        await asyncio.sleep(0.2)
        assert await place.there() == {}, "nobody here has asked for one"
        first = an_origin()
        assert (await take(runtime, first)).stage is Stage.CREATED
        store = await place.in_store(2)
        assert set(await runtime.list()) == {first.sandbox}
        second = an_origin(epoch=7)
        seen = await take(runtime, second)
        assert seen.stage is Stage.RUNNING
        assert (seen.container_id, seen.capsule_id, seen.epoch) == (second.sandbox, second.capsule_id, 7)
        assert seen.pid is not None
        assert set((await place.there()).values()) >= store, "it is one of them"
        listed = (await runtime.list())[sandbox_of(second)]
        assert (listed.stage, listed.capsule_id, listed.epoch) == (Stage.RUNNING, second.capsule_id, 7)
        await place.in_store(2)


async def test_what_was_taken_is_started_stopped_and_removed_like_any_other_also_by_whoever_comes_next(
    place: Place,
) -> None:
    origin = an_origin(epoch=3)
    async with place.agent() as runtime:
        await take(runtime, an_origin())
        await place.in_store(2)
        taken = await take(runtime, origin)
        await place.in_store(2)
    async with place.agent() as runtime:
        sandbox = sandbox_of(origin)
        assert (await runtime.list([sandbox]))[sandbox] == taken
        await runtime.create_sandbox(origin, sandbox, bare=True)
        assert (await runtime.list([sandbox]))[sandbox] == taken, "it is there already"
        changes = runtime.watch()
        await runtime.stop(sandbox, 0)
        assert (await runtime.list([sandbox]))[sandbox].stage is Stage.EXITED
        async with asyncio.timeout(PATIENCE):
            assert await anext(changes) == sandbox
        await runtime.start(sandbox)
        again = (await runtime.list([sandbox]))[sandbox]
        assert (again.stage, again.epoch) == (Stage.RUNNING, 3)
        await runtime.remove(sandbox)
        assert await runtime.list([sandbox]) == {}
        assert not any(sandbox in name for name in await place.there())
        newer = await take(runtime, replace(origin, epoch=4))
        assert (newer.stage, newer.epoch) == (Stage.RUNNING, 4)


async def test_the_store_of_whoever_was_here_before_is_taken_over_and_what_is_of_no_use_goes(place: Place) -> None:
    async with place.agent(warm=3) as runtime:
        await take(runtime, an_origin())
        before = await place.in_store(3)
    ended = before.pop()
    await place.engine.call("POST", f"containers/{ended}/stop", {"t": 0})
    async with place.agent(warm=3) as runtime:
        async with asyncio.timeout(PATIENCE):
            while ended in (await place.there()).values():
                await asyncio.sleep(0.1)
        assert await place.in_store(3) > before
        assert (await take(runtime, an_origin())).stage is Stage.RUNNING


async def test_an_engine_that_stops_waits_for_none(place: Place) -> None:
    origin = an_origin()
    async with place.agent() as runtime:
        await take(runtime, origin)
        await runtime.start(sandbox_of(origin))
        await place.in_store(2)
        for name in await place.there(status=["running"]):
            async with asyncio.timeout(PATIENCE):
                await place.engine.call("POST", f"containers/{name}/stop", {"t": 600})


async def test_no_two_get_the_same_and_an_empty_store_is_no_harm(place: Place) -> None:
    async with place.agent() as runtime:
        await take(runtime, an_origin())
        await place.in_store(2)
        origins = [an_origin() for _ in range(4)]
        async with asyncio.TaskGroup() as group:
            for origin in origins:
                group.create_task(take(runtime, origin))
        for origin in origins:
            await runtime.start(sandbox_of(origin))
        seen = await runtime.list([sandbox_of(origin) for origin in origins])
        assert len({each.pid for each in seen.values()}) == 4
        assert {each.capsule_id for each in seen.values()} == {origin.capsule_id for origin in origins}


@pytest.mark.parametrize("moment", [0.0, 0.001, 0.003, 0.01])
async def test_one_that_is_taken_while_its_agent_dies_is_somebodys_or_nobodys(place: Place, moment: float) -> None:
    origin = an_origin(epoch=5)
    async with place.agent() as runtime:
        await take(runtime, an_origin())
        await place.in_store(2)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(moment):
                await runtime.create_sandbox(origin, sandbox_of(origin), bare=True)
        mine = await take(runtime, origin)
        assert (mine.capsule_id, mine.epoch) == (origin.capsule_id, 5)
    async with place.agent() as runtime:
        assert await take(runtime, origin) == mine
        assert sum(sandbox_of(origin) in name for name in await place.there()) == 1
        await runtime.remove(sandbox_of(origin))
        assert not any(sandbox_of(origin) in name for name in await place.there())


async def test_one_with_a_host_name_or_a_network_of_its_own_is_made_for_the_purpose(place: Place) -> None:
    async with place.agent() as runtime:
        await take(runtime, an_origin())
        store = await place.in_store(2)
        named, networked = an_origin(), an_origin()
        await runtime.create_sandbox(named, sandbox_of(named), hostname="web", bare=True)
        await runtime.create_sandbox(networked, sandbox_of(networked))
        seen = await runtime.list([sandbox_of(named), sandbox_of(networked)])
        assert {each.stage for each in seen.values()} == {Stage.CREATED}
        assert seen[sandbox_of(named)].hostname == "web"
        assert await place.in_store(2) == store


# A container alone in one


async def inside(runtime: DockerRuntime, container: Container, script: str) -> str:
    return (await runtime.execute(container.id, ["sh", "-c", script])).output.decode()


@pytest.mark.parametrize("hostname", ["web.example.com", None])
async def test_a_container_alone_finds_itself_and_keeps_all_but_the_network_to_itself(
    place: Place, hostname: str | None
) -> None:
    async with place.agent() as runtime:
        await take(runtime, an_origin())
        await place.in_store(2)
        origin = an_origin()
        sandbox = sandbox_of(origin)
        await runtime.create_sandbox(origin, sandbox, hostname=hostname, bare=True)
        await runtime.start(sandbox)
        container = a_container(BUSYBOX, "sleep", "60", hostname=hostname)
        await runtime.create(origin, container)
        await runtime.start(container.id)
        for address in ("10.9.8.6", "10.9.8.7"):
            await runtime.introduce(sandbox, address)
        seen = await look(runtime, container)
        shared = (await runtime.list([sandbox]))[sandbox].hostname
        assert seen.hostname == shared == (hostname or shared)
        assert await inside(runtime, container, "hostname") == f"{shared}\n"
        hosts = await inside(runtime, container, "cat /etc/hosts")
        assert hosts.count("10.9.8") == 1
        names = f"{hostname} web" if hostname else shared
        assert f"10.9.8.7\t{names}\n" in hosts
        assert "127.0.0.1\tlocalhost\n" in hosts
        assert f"nameserver {NAMESERVER}\n" in await inside(runtime, container, "cat /etc/resolv.conf")
        assert await inside(runtime, container, "ls /sys/class/net") == "lo\n"
        ipc = (await inside(runtime, container, "readlink /proc/self/ns/ipc")).strip()
        assert seen.pid is not None
        holder = (await runtime.list([sandbox]))[sandbox].pid
        assert ipc != os.readlink(f"/proc/{holder}/ns/ipc")
        await runtime.stop(container.id, 0)
        assert (await look(runtime, container)).pid is None


async def test_what_was_plugged_in_is_counted(place: Place) -> None:
    async with place.agent(warm=0) as runtime:
        origin = an_origin()
        await take(runtime, origin)
        await runtime.start(sandbox_of(origin))
        container = a_container(BUSYBOX, "sleep", "60")
        await runtime.create(origin, container)
        await runtime.start(container.id)
        assert (await runtime.usage(container.id)).received == 0
        pid = (await look(runtime, container)).pid
        host, there = f"hgt{uuid4().hex[:10]}", ("nsenter", "-t", str(pid), "-n", "ip")
        for command in (
            ("ip", "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", str(pid)),
            ("ip", "link", "set", host, "up"),
            (*there, "addr", "add", "198.18.250.2/24", "dev", "eth0"),
            (*there, "link", "set", "eth0", "up"),
            (*there, "neigh", "replace", "198.18.250.1", "lladdr", "02:00:00:00:00:01", "dev", "eth0"),
        ):
            await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        await inside(runtime, container, "ping -c 1 -W 1 198.18.250.1")
        assert (await runtime.usage(container.id)).sent > 0


async def test_what_it_wrote_outlives_a_stop_of_its_sandbox(place: Place) -> None:
    async with place.agent() as runtime:
        await take(runtime, an_origin())
        await place.in_store(2)
        origin = an_origin()
        await take(runtime, origin)
        container = a_container(BUSYBOX, "sleep", "60")
        await runtime.create(origin, container)
        await runtime.start(container.id)
        await inside(runtime, container, "echo kept > /tmp/file")
        await runtime.stop(container.id, 0)
        await runtime.stop(sandbox_of(origin), 0)
        await runtime.start(sandbox_of(origin))
        await runtime.start(container.id)
        assert await inside(runtime, container, "cat /tmp/file") == "kept\n"
        await runtime.kill(container.id, "SIGKILL")
        assert (await until(runtime, container, Stage.EXITED)).exit_code == 137
