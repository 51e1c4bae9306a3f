"""Sandboxes as the driver knows them: which is whose, and the file of host names that one shares with what runs in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from higgins.aio.beside import beside
from higgins.drivers.engine import Engine
from higgins.drivers.runtimes.docker import DockerRuntime, pause, terms
from higgins.drivers.runtimes.docker.sandboxes import DockerSandboxes
from higgins.model.ids import CapsuleId, ContainerId
from higgins.protocols.runtime import Origin
from tests.patience import PATIENCE
from tests.unit.drivers.stub_engine import StubEngine
from tests.unit.drivers.test_docker import NAME, WEB, inspected

ID = "0f" * 32


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    (tmp_path / ID).mkdir()
    return tmp_path / ID / "hosts"


def introduced(hosts: Path) -> None:
    sandboxes = DockerSandboxes(Engine("unix:///nowhere"), owner="me", warm=0, nameserver=None)
    asyncio.run(sandboxes.introduce(ID, hosts, "web", "10.88.0.2"))


def test_a_host_name_is_added_whatever_bytes_others_have_written(hosts: Path) -> None:
    hosts.write_bytes(b"\xff\xfe\n127.0.0.1\tlocalhost\n")
    introduced(hosts)
    assert hosts.read_bytes() == b"\xff\xfe\n127.0.0.1\tlocalhost\n10.88.0.2\tweb\n"


def test_what_containers_have_made_as_large_as_they_could_is_left_alone(hosts: Path) -> None:
    with hosts.open("wb") as file:
        file.truncate(2**40)
    introduced(hosts)
    assert hosts.stat().st_size == 2**40


def listed(name: str) -> list[dict[str, Any]]:
    """What the engine tells of the one from the store."""
    return [
        {"Names": [f"/{name}"], "Labels": {terms.OWNER: "me", terms.WARM: f"{pause.IMAGE} "}, "State": "running"},
    ]


async def test_who_looks_while_one_is_taken_remembers_nothing_of_what_was(tmp_path: Path) -> None:
    sandbox, other = (ContainerId(f"{number}0000000-0000-4000-8000-000000000000") for number in (1, 2))
    origin = Origin(capsule_id=CapsuleId(sandbox), project_id="p", epoch=1, restarts=0, handler=None)
    warm, taken, over = terms.warm_name("0f"), terms.taken_name(origin, sandbox), asyncio.Event()
    engine = StubEngine(tmp_path / "s").answer("GET", "containers/json", listed(warm))
    engine.answer("POST", f"containers/{warm}/rename", None)
    async with engine.running(), Engine(engine.url) as calls, beside() as start:
        sandboxes = DockerSandboxes(calls, owner="me", warm=1, nameserver=None)
        start(sandboxes.keep())
        while not any("containers/json" in each for each in engine.asked):
            await asyncio.sleep(0.01)
        engine.promise("GET", "containers/json", listed(warm), when=over)
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(sandboxes.name(other))
            while not await sandboxes.take(origin, sandbox):
                await asyncio.sleep(0.01)
            over.set()
        assert looking.result() == terms.name(other)
        engine.answer("GET", "containers/json", listed(taken))
        assert await sandboxes.name(sandbox) == taken


async def test_one_that_was_made_anew_after_the_one_from_the_store_had_gone_is_found(tmp_path: Path) -> None:
    origin = Origin(capsule_id=CapsuleId(WEB), project_id="p", epoch=1, restarts=0, handler=None)
    engine = StubEngine(tmp_path / "s").answer("GET", "containers/json", listed(terms.taken_name(origin, WEB)))
    engine.answer("GET", f"containers/{NAME}/json", inspected("running"))
    async with engine.running(), DockerRuntime(url=engine.url) as runtime:
        assert await runtime.list([WEB]) == {}
        engine.answer("GET", "containers/json", [])
        assert (await runtime.list([WEB])).keys() == {WEB}


@dataclass(kw_only=True)
class Busy:
    """A store of one, which is being renamed for somebody while stock is taken."""

    sandboxes: DockerSandboxes
    engine: StubEngine
    renamed: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, word: str) -> int:
        return sum(word in each for each in self.engine.asked)


def sandbox(number: int) -> tuple[Origin, ContainerId]:
    made = ContainerId(f"{number}0000000-0000-4000-8000-000000000000")
    return Origin(capsule_id=CapsuleId(made), project_id="p", epoch=1, restarts=0, handler=None), made


@asynccontextmanager
async def busy(directory: Path) -> AsyncIterator[Busy]:
    warm = terms.warm_name("0f")
    engine = StubEngine(directory / "s").answer("GET", "containers/json", listed(warm))
    async with engine.running(), Engine(engine.url) as calls, beside() as start:
        there = Busy(sandboxes=DockerSandboxes(calls, owner="me", warm=1, nameserver=None), engine=engine)
        engine.promise("POST", f"containers/{warm}/rename", None, when=there.renamed)
        start(there.sandboxes.keep())
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            while not there.count("containers/json"):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            group.create_task(there.sandboxes.take(*sandbox(1)))
            while there.count("containers/json") < 2:
                await asyncio.sleep(0.01)
            yield there


async def test_what_is_taken_while_stock_is_taken_is_made_up_for(tmp_path: Path) -> None:
    async with busy(tmp_path) as there:
        there.engine.answer("GET", "containers/json", [])
        there.renamed.set()
        while not there.count("containers/create"):
            await asyncio.sleep(0.01)


async def test_what_is_being_taken_is_given_to_nobody_else(tmp_path: Path) -> None:
    async with busy(tmp_path) as there:
        await asyncio.sleep(0.05)
        assert not await there.sandboxes.take(*sandbox(2))
        there.renamed.set()
    assert there.count("rename") == 1
